import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Command } from 'commander';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { fromHeaderText } from '../../objects/s3/header-text.ts';
import { standardClass } from '../../objects/storage-class.ts';
import { parseTagHeader } from '../../objects/s3/tags.ts';
import { type ObjectAddress, objectPath, parseAddress, prefixBelow } from '../object/address.ts';
import { getFile } from '../object/get-object.ts';
import { measureBelow, objectsBelow } from '../object/listing.ts';
import { forEachParallel } from '../object/pool.ts';
import { showProgress } from '../object/progress.ts';
import { isPlainMd5 } from '../object/put-object.ts';
import { retried } from '../object/retry.ts';
import { type ObjectSession, runObjectCommand, withParallel } from '../object/run.ts';
import { Tally } from '../object/tally.ts';
import { TargetDirectory } from '../object/target-directory.ts';
import { TargetNames } from '../object/target-names.ts';
import { examples } from '../examples.ts';
import { type Listed, type Pair, paired } from './merge.ts';
import { type PlaceFlags, placeOf, plainDirectoryOf, withPlace } from './options.ts';
import { CarriedClasses } from './carried-classes.ts';
import { type Facts, type Place, carriedHeaders } from './place.ts';
import { verified } from './verified.ts';

interface ExportFlags extends PlaceFlags {
  readonly encodeNames?: true;
  readonly parallel: number;
}

const help = `
In a directory and in a bucket of S3 objects stand under their plain keys, readable without this program; on WebDAV and rclone
under names that any server takes, encoded from the keys. S3 gets types, metadata, tags and storage classes too. A directory holds bytes and names
alone: the rest of an object is not kept there, nor is an empty object "a/" beside a "a/b" without --encode-names. "bucket import"
takes all of it back, with --decode-names after --encode-names. What is there already, as long and with the same MD5 where that is known, is passed over: a run that was interrupted goes on
when it is started again.`;

/** `holdfast bucket export` */
export function registerExport(bucket: Command): void {
  withParallel(withPlace(bucket.command('export <source> [directory]')))
    .description('write all objects below <bucket>[/prefix] into a directory, or to another place')
    .option('--encode-names', 'give keys that cannot be paths of files another name instead of refusing them')
    .addHelpText('after', help)
    .addHelpText(
      'after',
      examples(
        'bucket export photos /mnt/disk/photos',
        'bucket export photos/2020 --kind s3 --set endpoint=https://s3.example --set bucket=mine --secret access_key_id --secret secret_access_key',
      ),
    )
    .action((source: string, directory: string | undefined, flags: ExportFlags, shell: Command) =>
      runObjectCommand(shell, async (session) => {
        const address = parseAddress(source);
        if ((directory === undefined) === (flags.kind === undefined)) {
          throw new HoldfastError('invalid', 'Say where to: a directory, or a place by --kind.', {
            field: 'directory',
          });
        }
        const path = directory ?? (await plainDirectoryOf(flags));
        if (path !== null) return exportTo(session, address, await intoDirectory(session, address, path, flags), flags);
        const place = await placeOf(flags.kind!, flags);
        try {
          await exportTo(session, address, intoPlace(session, address, place), flags);
        } finally {
          await place.close();
        }
      }),
    );
}

/** An object of the bucket, with its key below the prefix. */
interface Wanted extends Listed {
  readonly etag: string;
}

/** What is to be done, in order, and how: the work gives the bytes that were carried, or that there was no need. */
interface Export<T> {
  readonly items: AsyncIterable<T>;
  keyOf(item: T): string;
  work(item: T, onBytes: (moved: number) => void, tally: Tally): Promise<number | 'present'>;
}

async function exportTo<T>(
  { output, isJson, bytes, signal }: ObjectSession,
  { bucket, key }: ObjectAddress,
  { items, keyOf, work }: Export<T>,
  { parallel }: ExportFlags,
): Promise<void> {
  const tally = new Tally();
  let present = 0;
  {
    using progress = showProgress(output, isJson, (ended) => measureBelow(bytes, bucket, key, ended));
    await forEachParallel(items, parallel, async (item) => {
      signal.throwIfAborted();
      try {
        const done = await work(item, (moved) => progress.add(moved), tally);
        if (done === 'present') present++;
        else tally.done(done);
      } catch (error) {
        tally.fail(keyOf(item), error);
      }
      progress.objectDone();
    });
  }
  if (present > 0 && !isJson) output.line(`${present} were there already`);
  tally.report(output, isJson, 'exported');
}

async function* wantedBelow({ bytes, signal }: ObjectSession, { bucket, key }: ObjectAddress): AsyncGenerator<Wanted> {
  const cut = prefixBelow(key).length;
  for await (const one of objectsBelow(bytes, bucket, key, signal)) {
    yield { key: one.key.slice(cut), sizeBytes: Number(one.size_bytes), etag: one.etag };
  }
}

function intoPlace(session: ObjectSession, address: ObjectAddress, place: Place): Export<Pair<Wanted, Listed>> {
  const { bytes, signal } = session;
  const prefix = prefixBelow(address.key);
  const classes = new CarriedClasses();
  return {
    items: paired(wantedBelow(session, address), place.list(signal)),
    keyOf: ({ wanted }) => wanted.key,
    work: async ({ wanted, standing }, onBytes, tally) => {
      if (standing?.sizeBytes === wanted.sizeBytes && (await isSame(place, wanted, standing, signal))) return 'present';
      const carry = async (classToSend: (name: string) => string) => {
        const path = objectPath({ bucket: address.bucket, key: prefix + wanted.key });
        const response = await bytes.send({ method: 'GET', path, signal });
        const facts = factsOf(response.headers);
        const told = async function* () {
          for await (const chunk of verified(bytes.bytes(response, signal), facts)) {
            onBytes(chunk.length);
            yield chunk;
          }
        };
        try {
          const storageClass = classToSend(facts.storageClass);
          await place.put(wanted.key, told(), { ...facts, storageClass }, signal);
        } catch (error) {
          response.destroy();
          throw error;
        }
        return facts.sizeBytes;
      };
      return retried(signal, () => classes.carry(tally, carry));
    },
  };
}

async function isSame(place: Place, { etag }: Wanted, standing: Listed, signal: AbortSignal): Promise<boolean> {
  if (!isPlainMd5(etag)) return true;
  const facts = await place.facts(standing, signal);
  return facts !== null && (facts.md5 === null || facts.md5 === etag);
}

/** What the answer to a read says of an object. */
function factsOf(headers: Readonly<Record<string, string | string[] | undefined>>): Facts {
  const text = (name: string) => fromHeaderText(String(headers[name] ?? ''));
  const etag = text('etag').replaceAll('"', '');
  const named = carriedHeaders.filter((name) => headers[name] !== undefined).map((name) => [name, text(name)]);
  const metadata = Object.keys(headers)
    .filter((name) => name.startsWith('x-meta-'))
    .map((name) => [name.slice('x-meta-'.length), text(name)]);
  return {
    sizeBytes: Number(headers['content-length'] ?? 0),
    md5: isPlainMd5(etag) ? etag : null,
    contentType: text('content-type'),
    headers: Object.fromEntries(named) as Record<string, string>,
    metadata: Object.fromEntries(metadata) as Record<string, string>,
    tags: parseTagHeader(headers['x-tags'] as string | undefined),
    storageClass: text('x-storage-class') || standardClass,
  };
}

async function intoDirectory(
  session: ObjectSession,
  address: ObjectAddress,
  path: string,
  { encodeNames }: ExportFlags,
): Promise<Export<Named>> {
  const directory = await TargetDirectory.open(path);
  const isEncoding = encodeNames === true;
  const names = new TargetNames(isEncoding);
  const { bytes, signal } = session;
  const prefix = prefixBelow(address.key);
  async function* named() {
    for await (const wanted of wantedBelow(session, address)) yield nameOf(names, wanted, isEncoding);
  }
  return {
    items: named(),
    keyOf: ({ wanted }) => wanted.key,
    work: async ({ wanted, name, isDirectory }, onBytes) => {
      if (name instanceof Error) throw name;
      if (isDirectory) {
        await directory.directory(name);
        return 0;
      }
      const file = await directory.file(name);
      if (await isFileSame(file, wanted)) return 'present';
      const object = { bucket: address.bucket, key: prefix + wanted.key };
      const wish = { address: object, versionId: undefined, range: undefined, signal, onBytes };
      return (await getFile(bytes, file, wish)).sizeBytes;
    },
  };
}

/** Where an object goes below the directory, or why it cannot. */
interface Named {
  readonly wanted: Wanted;
  readonly name: string | Error;
  /** Whether it stands for a directory, as programs write them: empty, its key ending with a slash. */
  readonly isDirectory: boolean;
}

/** Names are given in the order of the listing. Encoded ones give every key back, so that all objects are files then. */
function nameOf(names: TargetNames, wanted: Wanted, isEncoding: boolean): Named {
  const { key, sizeBytes } = wanted;
  const isDirectory = sizeBytes === 0 && (key === '' || (key.endsWith('/') && !isEncoding));
  try {
    return { wanted, name: isDirectory ? names.directory(key) : names.next(key), isDirectory };
  } catch (error) {
    return { wanted, name: error as Error, isDirectory };
  }
}

/** Whether a file has the bytes of an object: of one in parts, whose ETag is no MD5, its length is all that is known. */
async function isFileSame(path: string, { sizeBytes, etag }: Wanted): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  if (found === null || !found.isFile() || found.size !== sizeBytes) return false;
  if (!isPlainMd5(etag)) return true;
  const md5 = createHash('md5');
  for await (const chunk of createReadStream(path)) md5.update(chunk as Buffer);
  return md5.digest('hex') === etag;
}

import type { Command } from 'commander';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { bucketContract } from '../../objects/api/contract.ts';
import { standardClass } from '../../objects/storage-class.ts';
import { type ObjectAddress, parseAddress, prefixBelow } from '../object/address.ts';
import { type ListedObject, objectsBelow } from '../object/listing.ts';
import { forEachParallel } from '../object/pool.ts';
import { showProgress } from '../object/progress.ts';
import type { Totals } from '../object/progress-meter.ts';
import { isPlainMd5, putStream } from '../object/put-object.ts';
import { retried } from '../object/retry.ts';
import { type ObjectSession, runObjectCommand, withParallel } from '../object/run.ts';
import { Tally } from '../object/tally.ts';
import { examples } from '../examples.ts';
import { type Listed, type Pair, paired } from './merge.ts';
import { CarriedClasses } from './carried-classes.ts';
import { directoryPlace } from './directory-place.ts';
import { type PlaceFlags, placeOf, plainDirectoryOf, withPlace } from './options.ts';
import type { Facts, Place, Told } from './place.ts';
import { verified } from './verified.ts';

interface ImportFlags extends PlaceFlags {
  readonly decodeNames?: true;
  readonly overwrite?: true;
  readonly parallel: number;
}

const help = `
Takes back what "bucket export" wrote. Keys stay as they are: of a directory, the paths of its files, and of an empty directory
below it a key that ends with a slash. Types, metadata, tags and storage classes come along from S3 only; files get a type by their names. WebDAV
and rclone are read as an export or a backend has written them, a directory of other files there is mounted and given as one.
What is here already, as long and with the same MD5 where that is known, is passed over: a run that was interrupted goes on when
it is started again.`;

/** `holdfast bucket import` */
export function registerImport(bucket: Command): void {
  withParallel(withPlace(bucket.command('import <target> [directory]')))
    .description('take over all objects of a directory, or of a bucket elsewhere, into <bucket>[/prefix]')
    .option('--decode-names', 'the directory was written with --encode-names')
    .option('--overwrite', 'replace objects that are here with another content')
    .addHelpText('after', help)
    .addHelpText(
      'after',
      examples(
        'bucket import photos /mnt/disk/photos',
        'bucket import photos --kind s3 --set endpoint=https://s3.example --set bucket=old --secret access_key_id --secret secret_access_key',
      ),
    )
    .action((target: string, directory: string | undefined, flags: ImportFlags, shell: Command) =>
      runObjectCommand(shell, async (session) => {
        const address = parseAddress(target);
        const place = await sourceOf(directory, flags);
        try {
          await session.client.call(bucketContract.getBucket, { params: { bucket: address.bucket } });
          await importAll(session, place, address, flags);
        } finally {
          await place.close();
        }
      }),
    );
}

async function sourceOf(directory: string | undefined, flags: ImportFlags): Promise<Place> {
  if ((directory === undefined) === (flags.kind === undefined)) {
    const message = 'Say where from: a directory, or a place by --kind.';
    throw new HoldfastError('invalid', message, { field: 'directory' });
  }
  const isDecoding = flags.decodeNames === true;
  const path = directory ?? (await plainDirectoryOf(flags));
  if (path !== null) return directoryPlace({ path, isDecoding });
  if (isDecoding) throw new HoldfastError('invalid', '--decode-names is for a directory.', { field: '--decode-names' });
  return placeOf(flags.kind!, flags);
}

interface Standing extends Listed {
  readonly etag: string;
}

async function importAll(
  { output, isJson, bytes, signal }: ObjectSession,
  place: Place,
  { bucket, key }: ObjectAddress,
  flags: ImportFlags,
): Promise<void> {
  const prefix = prefixBelow(key);
  const tally = new Tally();
  const classes = new CarriedClasses();
  let present = 0;
  const importOne = async ({ wanted, standing }: Pair<Listed, Standing>, onBytes: (moved: number) => void) => {
    const decided = await decide(place, wanted, standing, flags.overwrite === true, signal);
    if (decided === 'present') return void present++;
    if (decided === 'differs')
      return tally.skip(wanted.key, 'it is here with another content (--overwrite replaces it)');
    const carry = async (classToSend: (name: string) => string) => {
      const opened = await place.open(wanted, signal);
      if (opened === null) return null;
      const { facts } = opened;
      const address = { bucket, key: prefix + wanted.key };
      const storageClass = classToSend(facts.storageClass);
      const wish = { address, ...wishOf({ ...facts, storageClass }), isNew: false, signal, onBytes };
      try {
        await putStream(bytes, verified(opened.content, facts), facts.sizeBytes, wish);
      } catch (error) {
        opened.cancel();
        throw error;
      }
      return facts;
    };
    const carried = await retried(signal, () => classes.carry(tally, carry));
    if (carried === null) tally.skip(wanted.key, 'it has gone from the source');
    else tally.done(carried.sizeBytes);
  };
  {
    using progress = showProgress(output, isJson, (ended) => measure(place, ended));
    const told: Told = (name, kind, reason) =>
      kind === 'skipped' ? tally.skip(name, reason) : tally.fail(name, new Error(reason));
    const pairs = paired(place.list(signal, told), standingBelow(objectsBelow(bytes, bucket, key, signal), prefix));
    await forEachParallel(pairs, flags.parallel, async (pair) => {
      signal.throwIfAborted();
      await importOne(pair, (moved) => progress.add(moved)).catch((error: unknown) =>
        tally.fail(pair.wanted.key, error),
      );
      progress.objectDone();
    });
  }
  if (present > 0 && !isJson) output.line(`${present} were here already`);
  tally.report(output, isJson, 'imported');
}

/** Whether an object is to be carried. What is as long, and of which nobody tells the MD5, is taken for the same. */
async function decide(
  place: Place,
  wanted: Listed,
  standing: Standing | null,
  isOverwriting: boolean,
  signal: AbortSignal,
): Promise<'carry' | 'present' | 'differs'> {
  if (standing === null) return 'carry';
  const other = isOverwriting ? 'carry' : 'differs';
  if (standing.sizeBytes !== wanted.sizeBytes) return other;
  if (!isPlainMd5(standing.etag)) return 'present';
  const facts = await place.facts(wanted, signal);
  return facts?.md5 === null || facts?.md5 === standing.etag ? 'present' : other;
}

function wishOf({ contentType, headers, metadata, tags, storageClass }: Facts) {
  const classHeader = storageClass === standardClass ? {} : { 'x-storage-class': storageClass };
  const tagHeader = Object.keys(tags).length === 0 ? {} : { 'x-tags': new URLSearchParams(tags).toString() };
  return { contentType, metadata, headers: { ...headers, ...tagHeader, ...classHeader } };
}

async function* standingBelow(listed: AsyncIterable<ListedObject>, prefix: string): AsyncGenerator<Standing> {
  for await (const { key, size_bytes: sizeBytes, etag } of listed) {
    yield { key: key.slice(prefix.length), sizeBytes: Number(sizeBytes), etag };
  }
}

async function measure(place: Place, signal: AbortSignal): Promise<Totals> {
  let [bytes, objects] = [0, 0];
  for await (const { sizeBytes } of place.list(signal)) {
    objects++;
    bytes += sizeBytes;
  }
  return { bytes, objects };
}

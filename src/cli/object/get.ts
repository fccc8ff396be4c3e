import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { formatSize } from '../../kernel/config/size.ts';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { examples } from '../examples.ts';
import { json } from '../output.ts';
import { type ObjectAddress, baseName, parseAddress, parseObjectAddress, prefixBelow, printable } from './address.ts';
import { type GetWish, download } from './download.ts';
import { getFile } from './get-object.ts';
import { type ListedObject, measureBelow, objectsBelow } from './listing.ts';
import { notFound } from './not-found.ts';
import { forEachParallel } from './pool.ts';
import { type Progress, showProgress } from './progress.ts';
import { rangeHeader } from './range.ts';
import { type ObjectSession, runObjectCommand, withParallel } from './run.ts';
import { Tally } from './tally.ts';
import { TargetDirectory } from './target-directory.ts';
import { TargetNames } from './target-names.ts';

interface GetFlags {
  readonly recursive?: boolean;
  readonly range?: string;
  readonly versionId?: string;
  readonly encodeNames?: boolean;
  readonly parallel: number;
}

const partsHelp = `
A file appears under its name when it is whole and checked. Until then it is .holdfast-….part beside it; such a file stays
only when this program is killed, and can be removed.`;

/** `holdfast object get` */
export function registerGet(object: Command): void {
  withParallel(object.command('get <source> [target]'))
    .description('read <bucket>/<key> into a file, a directory or the output (-)')
    .option('-r, --recursive', 'all objects below <bucket>[/prefix], into a directory')
    .option('--range <range>', 'some bytes only: 0-99, 100- or -500')
    .option('--version-id <id>', 'this version of the object')
    .option('--encode-names', 'give keys that cannot be paths another name instead of refusing them')
    .addHelpText('after', partsHelp)
    .addHelpText(
      'after',
      examples(
        'object get safe/backup.tar',
        'object get safe/photos restored --recursive',
        'object get safe/db/all.sql - | psql',
      ),
    )
    .action((source: string, target: string | undefined, flags: GetFlags, command: Command) =>
      runObjectCommand(command, async (session) => {
        if (flags.recursive !== true) return getOne(session, parseObjectAddress(source), target, flags);
        if (flags.range !== undefined || flags.versionId !== undefined) {
          throw wrong('--recursive', '--range and --version-id are for one object.');
        }
        if (target === '-') throw wrong('target', 'Many objects need a directory; one object can go to the output.');
        return getTree(session, parseAddress(source), target ?? '.', flags);
      }),
    );
}

async function getOne(
  session: ObjectSession,
  address: ObjectAddress,
  target: string | undefined,
  { range, versionId, encodeNames }: GetFlags,
): Promise<void> {
  const { output, isJson, bytes, signal } = session;
  const header = range === undefined ? undefined : rangeHeader(range);
  const wish: GetWish = { address, versionId, range: header, signal, onBytes: () => {} };
  if (target === '-') {
    await download(bytes, wish, writeOut);
    return;
  }
  const path = await pathOf(address, target, encodeNames === true);
  let received;
  {
    using progress = showProgress(output, isJson);
    const onLength = (length: number) => progress.expect({ bytes: length, objects: 1 });
    received = await getFile(bytes, path, { ...wish, onLength, onBytes: (moved) => progress.add(moved) });
  }
  const { sizeBytes, headers } = received;
  if (isJson) {
    const { bucket, key } = address;
    const etag = (headers.etag ?? '').replaceAll('"', '');
    return output.line(json({ bucket, key, version_id: headers['x-version-id'], etag, bytes: sizeBytes, path }));
  }
  output.line(`${printable(path)} is written, ${formatSize(BigInt(sizeBytes))}.`);
}

async function getTree(
  session: ObjectSession,
  { bucket, key }: ObjectAddress,
  target: string,
  flags: GetFlags,
): Promise<void> {
  const { output, isJson, bytes, signal } = session;
  const cut = prefixBelow(key).length;
  const names = new TargetNames(flags.encodeNames === true);
  const tally = new Tally();
  // Nothing is made here before the server has told that there is something.
  const listed = objectsBelow(bytes, bucket, key, signal);
  const first = await listed.next();
  if (first.done === true) {
    throw notFound(`There are no objects below ${printable(`${bucket}/${key}`)}.`);
  }
  const directory = await TargetDirectory.open(target);
  const get = async ({ object, name, isDirectory }: NamedObject, progress: Progress) => {
    if (name instanceof Error) throw name;
    if (isDirectory) {
      await directory.directory(name);
      return tally.done(0);
    }
    const path = await directory.file(name);
    const wish = { address: { bucket, key: object.key }, versionId: undefined, range: undefined, signal };
    const { sizeBytes } = await getFile(bytes, path, { ...wish, onBytes: (moved) => progress.add(moved) });
    tally.done(sizeBytes);
  };
  {
    using progress = showProgress(output, isJson, (ended) => measureBelow(bytes, bucket, key, ended));
    await forEachParallel(namedObjects(first.value, listed, cut, names), flags.parallel, async (one) => {
      signal.throwIfAborted();
      await get(one, progress).catch((error: unknown) => tally.fail(one.object.key, error));
      progress.objectDone();
    });
  }
  tally.report(output, isJson, 'written');
}

interface NamedObject {
  readonly object: ListedObject;
  /** Where it goes below the target, or why it cannot. */
  readonly name: string | Error;
  /** Whether it stands for a directory, as programs write them: empty, its key ending with a slash. */
  readonly isDirectory: boolean;
}

/** Names are given in the order of the listing, whichever object is done first. */
async function* namedObjects(
  first: ListedObject,
  rest: AsyncIterable<ListedObject>,
  cut: number,
  names: TargetNames,
): AsyncGenerator<NamedObject> {
  yield named(first, cut, names);
  for await (const object of rest) yield named(object, cut, names);
}

function named(object: ListedObject, cut: number, names: TargetNames): NamedObject {
  const key = object.key.slice(cut);
  const isDirectory = Number(object.size_bytes) === 0 && (key === '' || key.endsWith('/'));
  try {
    return { object, name: isDirectory ? names.directory(key) : names.next(key), isDirectory };
  } catch (error) {
    return { object, name: error as Error, isDirectory };
  }
}

/** Where one object goes: the target, a file in it when it is a directory, or a file here by the end of the key. */
async function pathOf({ key }: ObjectAddress, target: string | undefined, isEncoding: boolean): Promise<string> {
  const isDirectory = target !== undefined && (await isDirectoryAt(target));
  if (target !== undefined && !isDirectory) {
    if (target.endsWith('/')) throw wrong('target', `${target} is not a directory.`);
    return target;
  }
  const name = baseName(key);
  if (name === '')
    throw wrong('source', `"${printable(key)}" ends with a slash: give --recursive for all that is below it.`);
  try {
    return join(target ?? '.', new TargetNames(isEncoding).next(name));
  } catch {
    throw wrong('target', `"${printable(name)}" cannot be the name of a file: say where the object goes.`);
  }
}

async function isDirectoryAt(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/** Writes to the output at its pace. */
function writeOut(chunk: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(chunk, (error) => (error ? reject(error) : resolve()));
  });
}

function wrong(field: string, message: string): HoldfastError {
  return new HoldfastError('invalid', message, { field });
}

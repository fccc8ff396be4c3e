import { type Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { formatSize, parseSize } from '../../kernel/config/size.ts';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { pairs } from '../backend-options.ts';
import { examples } from '../examples.ts';
import { json } from '../output.ts';
import { type ObjectAddress, parseAddress, parseObjectAddress, prefixBelow, printable } from './address.ts';
import { contentTypeOf } from './content-type.ts';
import { fileTrouble } from '../disk-trouble.ts';
import { forEachParallel } from './pool.ts';
import { type Progress, showProgress } from './progress.ts';
import { type PutWish, putFile, putStream } from './put-object.ts';
import { type ObjectSession, runObjectCommand, several, withParallel } from './run.ts';
import { Tally } from './tally.ts';
import { measure, walk } from './walk.ts';

interface PutFlags {
  readonly recursive?: boolean;
  readonly contentType?: string;
  readonly meta?: readonly string[];
  readonly storageClass?: string;
  readonly ifNoneMatch?: boolean;
  readonly size?: string;
  readonly parallel: number;
}

/** `holdfast object put` */
export function registerPut(object: Command): void {
  withParallel(object.command('put <source> <target>'))
    .description('write a file, a directory or the input (-) to <bucket>/<key or prefix>')
    .option('-r, --recursive', 'all files below a directory')
    .option('--content-type <type>', 'instead of the one that the name tells')
    .option('--meta <key=value>', 'metadata; may be given several times', several)
    .option('--storage-class <name>', 'where it stands, by the classes that the server has')
    .option('--if-none-match', 'only what is not there yet')
    .option('--size <size>', 'how long the input (-) is, exactly')
    .addHelpText(
      'after',
      examples(
        'object put backup.tar safe/2026/',
        'object put photos safe/photos --recursive --parallel 16',
        'object put old.tar safe/2020/ --storage-class COLD',
        'object put - safe/notes.txt --size 5 < notes.txt',
        'object put -- -odd-name safe/odd',
      ),
    )
    .action((source: string, target: string, flags: PutFlags, command: Command) =>
      runObjectCommand(command, async (session) => {
        if (source === '-') return putInput(session, parseObjectAddress(target), flags);
        const found = await stat(source).catch((error: unknown) => {
          throw fileTrouble(source, 'read', error);
        });
        if (found.isDirectory()) return putTree(session, source, parseAddress(target), flags);
        return putOne(session, source, found, parseAddress(target), flags);
      }),
    );
}

type Wish = Omit<PutWish, 'address' | 'contentType' | 'signal' | 'onBytes'>;

async function putOne(
  session: ObjectSession,
  source: string,
  found: Stats,
  { bucket, key }: ObjectAddress,
  flags: PutFlags,
): Promise<void> {
  if (!found.isFile()) throw wrong('source', `${source} is not a file. Pipe it into "-" and tell its --size.`);
  refuseSize(flags);
  const address = { bucket, key: key === '' || key.endsWith('/') ? key + basename(source) : key };
  const { output, isJson, signal, bytes } = session;
  const wish = { ...wishOf(flags), address, contentType: flags.contentType ?? contentTypeOf(source) };
  let object;
  {
    using progress = showProgress(output, isJson, async () => ({ bytes: found.size, objects: 1 }));
    object = await putFile(bytes, source, { ...wish, signal, onBytes: (moved) => progress.add(moved) });
  }
  if (isJson) return output.line(json(object));
  output.line(`${printable(`${bucket}/${address.key}`)} is written, ${formatSize(BigInt(object.size_bytes))}.`);
}

async function putInput(session: ObjectSession, address: ObjectAddress, flags: PutFlags): Promise<void> {
  if (flags.size === undefined) {
    const message =
      'The length of the input must be known before it is sent: give --size, or write it to a file first.';
    throw wrong('--size', message);
  }
  if (address.key.endsWith('/')) throw wrong('key', `"${address.key}" ends with a slash: the input needs a whole key.`);
  const sizeBytes = sizeOf(flags.size);
  const { output, isJson, signal, bytes } = session;
  const contentType = flags.contentType ?? contentTypeOf(address.key);
  const wish = { ...wishOf(flags), address, contentType, signal, onBytes: () => {} };
  const object = await putStream(bytes, process.stdin, sizeBytes, wish);
  if (isJson) return output.line(json(object));
  output.line(`${printable(`${address.bucket}/${address.key}`)} is written, ${formatSize(BigInt(sizeBytes))}.`);
}

async function putTree(
  session: ObjectSession,
  source: string,
  { bucket, key }: ObjectAddress,
  flags: PutFlags,
): Promise<void> {
  if (flags.recursive !== true) throw wrong('source', `${source} is a directory: give --recursive.`);
  refuseSize(flags);
  const prefix = prefixBelow(key);
  const { output, isJson, signal, bytes } = session;
  const tally = new Tally();
  const wish = wishOf(flags);
  const put = async (path: string, name: string, progress: Progress) => {
    const contentType = flags.contentType ?? contentTypeOf(name);
    const address = { bucket, key: prefix + name };
    const one = { ...wish, address, contentType, signal, onBytes: (moved: number) => progress.add(moved) };
    const object = await putFile(bytes, path, one);
    progress.objectDone();
    tally.done(Number(object.size_bytes));
  };
  {
    using progress = showProgress(output, isJson, (ended) => measure(source, ended));
    await forEachParallel(walk(source), flags.parallel, async (found) => {
      signal.throwIfAborted();
      if (found.kind === 'skipped') return tally.skip(found.name, found.reason);
      if (found.kind === 'failed') return tally.fail(found.name, new Error(found.reason));
      await put(found.path, found.name, progress).catch((error: unknown) => tally.fail(found.name, error));
    });
  }
  tally.report(output, isJson, 'written');
}

function wishOf({ meta, ifNoneMatch, contentType, storageClass }: PutFlags): Wish {
  const metadata = pairs('--meta', meta) ?? {};
  for (const [name, value] of Object.entries(metadata)) {
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) {
      throw wrong('--meta', `--meta: "${printable(name)}" cannot be the name of a header.`);
    }
    refuseControls('--meta', value);
  }
  refuseControls('--content-type', contentType ?? '');
  refuseControls('--storage-class', storageClass ?? '');
  const headers: Record<string, string> = storageClass === undefined ? {} : { 'x-storage-class': storageClass };
  return { metadata, headers, isNew: ifNoneMatch === true };
}

/** Line breaks and their like would end a header. */
function refuseControls(flag: string, value: string): void {
  if (/[^\t\P{Cc}]/u.test(value)) throw wrong(flag, `${flag}: "${printable(value)}" has a control character.`);
}

function refuseSize({ size }: PutFlags): void {
  if (size !== undefined) throw wrong('--size', '--size is for the input (-); files have their own.');
}

function sizeOf(text: string): number {
  let bytes: bigint;
  try {
    bytes = parseSize(text);
  } catch (error) {
    throw wrong('--size', `--size: ${(error as Error).message}`);
  }
  if (bytes > BigInt(Number.MAX_SAFE_INTEGER)) throw wrong('--size', '--size: no object is that large.');
  return Number(bytes);
}

function wrong(field: string, message: string): HoldfastError {
  return new HoldfastError('invalid', message, { field });
}

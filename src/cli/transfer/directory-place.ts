import { createHash } from 'node:crypto';
import type { Dirent, Stats } from 'node:fs';
import { type FileHandle, open, opendir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { reasonOf } from '../disk-trouble.ts';
import { changed, fileChunks } from '../object/outgoing.ts';
import type { Listed } from './merge.ts';
import { type Place, type Told, bareFacts } from './place.ts';

export interface DirectoryOptions {
  readonly path: string;
  /** Names were given by `--encode-names`. */
  readonly isDecoding: boolean;
  /** Names of a directory that are sorted at once. */
  readonly namesMax?: number;
}

/** An object that stands as a file; without a path it is an empty directory. */
interface ListedFile extends Listed {
  readonly path: string | null;
}

/** What a name in a directory stands for: its key, which of a directory is what keys below it begin with. */
interface Entry {
  readonly key: string;
  readonly name: string;
  readonly kind: 'directory' | 'file' | 'link';
}

const namesMaxByDefault = 10_000;
/** What an export that was killed leaves beside the file that it was to be. */
const unfinished = /^\.holdfast-[0-9a-f-]{36}\.part$/;

/**
 * A directory whose files are objects, by their names; the way back of an export into a directory. An empty directory is an
 * empty object whose key ends with a slash. Links to files are followed, links to directories are not, since they may lead in
 * a circle. It can be read only. Throws `invalid` when there is no such directory.
 */
export async function directoryPlace({
  path: root,
  isDecoding,
  namesMax = namesMaxByDefault,
}: DirectoryOptions): Promise<Place> {
  const found = await stat(root).catch((error: unknown) => {
    throw new HoldfastError('invalid', `${root} cannot be read: ${reasonOf(error)}.`, { field: 'directory' }, error);
  });
  if (!found.isDirectory()) throw new HoldfastError('invalid', `${root} is not a directory.`, { field: 'directory' });
  const reading = { root, isDecoding, namesMax };
  return {
    list: (signal, told) => filesBelow(reading, { key: '', path: '' }, told ?? (() => {}), signal),
    facts: async (listed, signal) => {
      const opened = await openFile(listed as ListedFile);
      if (opened === null) return null;
      const md5 = createHash('md5');
      for await (const chunk of opened.content) {
        signal.throwIfAborted();
        md5.update(chunk);
      }
      return { ...opened.facts, md5: md5.digest('hex') };
    },
    open: (listed) => openFile(listed as ListedFile),
    put: () => Promise.reject(new HoldfastError('unsupported', 'A directory is written to by an export.')),
    close: () => Promise.resolve(),
  };
}

interface Reading {
  readonly root: string;
  readonly isDecoding: boolean;
  readonly namesMax: number;
}

/** All files below a directory in byte order of their keys; of a directory with many names, some at a time. */
async function* filesBelow(
  reading: Reading,
  below: { readonly key: string; readonly path: string },
  told: Told,
  signal: AbortSignal,
): AsyncGenerator<ListedFile> {
  let floor: Entry | null = null;
  for (;;) {
    signal.throwIfAborted();
    const page: { entries: Entry[]; isAll: boolean; isEmpty: boolean } | null = await entriesAfter(
      reading,
      below,
      floor,
      told,
    );
    if (page === null) return;
    if (page.isEmpty && below.path !== '') {
      if (reading.isDecoding) told(below.path, 'skipped', 'an empty directory');
      else yield { key: below.key, sizeBytes: 0, path: null };
    }
    for (const entry of page.entries) {
      const path = below.path === '' ? entry.name : `${below.path}/${entry.name}`;
      if (entry.kind === 'directory') yield* filesBelow(reading, { key: entry.key, path }, told, signal);
      else {
        const file = await fileAt(reading, entry, path, told);
        if (file !== null) yield file;
      }
    }
    floor = page.entries.at(-1) ?? null;
    if (page.isAll || floor === null) return;
  }
}

async function fileAt({ root }: Reading, { key, kind }: Entry, path: string, told: Told): Promise<ListedFile | null> {
  try {
    const found = await stat(join(root, path));
    if (found.isFile()) return { key, sizeBytes: found.size, path: join(root, path) };
    told(path, 'skipped', found.isDirectory() && kind === 'link' ? 'a link to a directory' : 'not a file');
  } catch (error) {
    told(path, 'failed', reasonOf(error));
  }
  return null;
}

/** The next names of a directory; `null` when it cannot be read, which is told. */
async function entriesAfter(
  { root, isDecoding, namesMax }: Reading,
  below: { readonly key: string; readonly path: string },
  floor: Entry | null,
  told: Told,
): Promise<{ entries: Entry[]; isAll: boolean; isEmpty: boolean } | null> {
  const entries: Entry[] = [];
  let isAll = true;
  let isEmpty = true;
  const shorten = () => {
    entries.sort(compareEntries);
    if (entries.length > namesMax) isAll = false;
    entries.length = Math.min(entries.length, namesMax);
  };
  // A name is told of once, though a large directory is read several times.
  const tellOnce: Told = floor === null ? told : () => {};
  try {
    // The types know names as text only; as bytes, a name that is no text can be told from one that is.
    const found = (await opendir(join(root, below.path), { encoding: 'buffer' as BufferEncoding })) as never;
    for await (const entry of found as AsyncIterable<Dirent<Buffer>>) {
      isEmpty = false;
      const one = entryOf(entry, below, isDecoding, tellOnce);
      if (one === null || (floor !== null && compareEntries(one, floor) <= 0)) continue;
      entries.push(one);
      if (entries.length >= 2 * namesMax) shorten();
    }
  } catch (error) {
    told(below.path === '' ? '.' : below.path, 'failed', reasonOf(error));
    return null;
  }
  shorten();
  return { entries, isAll, isEmpty };
}

function entryOf(
  found: Dirent<Buffer>,
  below: { readonly key: string; readonly path: string },
  isDecoding: boolean,
  told: Told,
): Entry | null {
  const name = found.name.toString();
  const path = below.path === '' ? name : `${below.path}/${name}`;
  if (Buffer.compare(Buffer.from(name), found.name) !== 0) {
    told(path, 'failed', 'its name is not UTF-8 text');
    return null;
  }
  if (unfinished.test(name)) {
    told(path, 'skipped', 'it was left by an export that was cut off');
    return null;
  }
  const decoded = isDecoding ? decodedName(name) : name;
  if (decoded === null) {
    told(path, 'failed', 'its name is not one that --encode-names gives');
    return null;
  }
  const key = below.key + decoded;
  if (found.isDirectory()) return { key: `${key}/`, name, kind: 'directory' };
  return { key, name, kind: found.isSymbolicLink() ? 'link' : 'file' };
}

/** What `--encode-names` made of a part of a key, undone; `null` for a name that it never gives. */
function decodedName(name: string): string | null {
  if (/%(?!25|2F|2E)/.test(name)) return null;
  return decodeURIComponent(name);
}

/** By the bytes of keys; an object comes before what is below a directory of the same key. */
function compareEntries(one: Entry, other: Entry): number {
  const order = Buffer.compare(Buffer.from(one.key), Buffer.from(other.key));
  return order !== 0 ? order : Number(one.kind === 'directory') - Number(other.kind === 'directory');
}

/** A file as it is now; `null` when it has gone. */
async function openFile({ key, path }: ListedFile) {
  if (path === null) return { facts: bareFacts(key, 0), content: emptyContent(), cancel: () => {} };
  const handle = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (handle === null) return null;
  const close = () => void handle.close().catch(() => {});
  try {
    const before = await handle.stat();
    return { facts: bareFacts(key, before.size), content: unchanged(handle, before, path), cancel: close };
  } catch (error) {
    close();
    throw error;
  }
}

/** The bytes of a file, which end with an error when it changed meanwhile. */
async function* unchanged(handle: FileHandle, before: Stats, path: string): AsyncGenerator<Buffer> {
  try {
    yield* fileChunks(handle, before.size, path);
    const after = await handle.stat();
    if (after.size !== before.size || after.mtimeMs !== before.mtimeMs) throw changed(path);
  } finally {
    await handle.close();
  }
}

async function* emptyContent(): AsyncGenerator<Buffer> {}

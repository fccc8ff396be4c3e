import type { Dirent } from 'node:fs';
import { opendir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonOf } from '../disk-trouble.ts';

/** What is found below a directory: a file, or something that is no file and why it is left out. */
export type Found =
  | { readonly kind: 'file'; readonly path: string; readonly name: string }
  | { readonly kind: 'skipped'; readonly name: string; readonly reason: string }
  | { readonly kind: 'failed'; readonly name: string; readonly reason: string };

/**
 * All files below a directory as they are read, never a whole directory at once. Links to files are followed, links to
 * directories are not, since they may lead in a circle. Names are relative, with `/` between their parts.
 */
export async function* walk(root: string, below = ''): AsyncGenerator<Found> {
  let entries: AsyncIterable<Dirent<Buffer>>;
  try {
    // The types know names as text only; as bytes, a name that is no text can be told from one that is.
    entries = (await opendir(join(root, below), { encoding: 'buffer' as BufferEncoding })) as never;
    let isEmpty = true;
    for await (const entry of entries) {
      isEmpty = false;
      const text = entry.name.toString();
      const name = below === '' ? text : `${below}/${text}`;
      if (Buffer.compare(Buffer.from(text), entry.name) !== 0) {
        yield { kind: 'failed', name, reason: 'its name is not UTF-8 text' };
      } else if (entry.isDirectory()) {
        yield* walk(root, name);
      } else {
        yield await classify(root, name, entry.isFile());
      }
    }
    // Only objects have names, so that a directory without any leaves nothing.
    if (isEmpty && below !== '') yield { kind: 'skipped', name: below, reason: 'an empty directory' };
  } catch (error) {
    yield { kind: 'failed', name: below === '' ? '.' : below, reason: reasonOf(error) };
  }
}

async function classify(root: string, name: string, isFile: boolean): Promise<Found> {
  const path = join(root, name);
  if (isFile) return { kind: 'file', path, name };
  try {
    const found = await stat(path);
    if (found.isFile()) return { kind: 'file', path, name };
    return { kind: 'skipped', name, reason: found.isDirectory() ? 'a link to a directory' : 'not a file' };
  } catch (error) {
    return { kind: 'failed', name, reason: reasonOf(error) };
  }
}

/** How many files and bytes there are below a directory. */
export async function measure(root: string, signal: AbortSignal): Promise<{ bytes: number; objects: number }> {
  let [bytes, objects] = [0, 0];
  for await (const found of walk(root)) {
    if (signal.aborted) break;
    if (found.kind !== 'file') continue;
    objects++;
    bytes += await stat(found.path).then(
      ({ size }) => size,
      () => 0,
    );
  }
  return { bytes, objects };
}

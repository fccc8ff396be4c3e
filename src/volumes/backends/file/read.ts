import { access, constants, readdir, statfs } from 'node:fs/promises';
import type { BackendContext, BackendHealth, ImageFacts } from '../backend.ts';
import { byteOrder, refuseWrongLimit } from '../image-rules.ts';
import { factsOf, findImage } from './image.ts';
import { type Layout, imageOfFile } from './layout.ts';

const GIB = 1024n ** 3n;
const READ_AT_ONCE = 16;

export async function health(layout: Layout): Promise<BackendHealth> {
  // A file system that became read-only still answers all reads, so writing is asked for too.
  await access(layout.placeDirectory('live'), constants.R_OK | constants.W_OK | constants.X_OK);
  const { bavail, blocks, bsize } = await statfs(layout.directory, { bigint: true });
  const [freeBytes, totalBytes] = [bavail * bsize, blocks * bsize];
  const detail = `${freeBytes / GIB} of ${totalBytes / GIB} GiB are free in ${layout.directory}.`;
  return { detail, freeBytes, totalBytes };
}

export async function inspect(layout: Layout, image: string): Promise<ImageFacts | null> {
  const found = await findImage(layout, image);
  return found === null ? null : factsOf(layout, found);
}

export async function list(
  layout: Layout,
  { signal }: BackendContext,
  { after, limit }: { readonly after?: string; readonly limit: number },
): Promise<readonly ImageFacts[]> {
  refuseWrongLimit(limit);
  const names = await liveNames(layout);
  const wanted = after === undefined ? names : names.filter((name) => byteOrder(name, after) > 0);
  const found: ImageFacts[] = [];
  // Images that vanish while the list is read are left out, so more names than `limit` may be needed.
  for (let start = 0; start < wanted.length && found.length < limit; start += READ_AT_ONCE) {
    signal.throwIfAborted();
    const group = wanted.slice(start, start + READ_AT_ONCE);
    const facts = await Promise.all(group.map((name) => inspect(layout, name)));
    for (const each of facts) if (each?.place === 'live') found.push(each);
  }
  return found.slice(0, limit);
}

/** Names of image files, and of records without a file, since such a record may be a create that was cut off. */
async function liveNames(layout: Layout): Promise<readonly string[]> {
  const entries = await readdir(layout.placeDirectory('live'), { withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile()).map((entry) => imageOfFile(entry.name));
  return [...new Set(names.filter((name) => name !== null))].sort(byteOrder);
}

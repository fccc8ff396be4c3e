import { rm } from 'node:fs/promises';
import type { FencedContext, ImageFacts } from '../backend.ts';
import { noImage } from '../image-rules.ts';
import { clearTemporaryFiles, renameDurably, syncDirectory, unlinkDurably } from './durable.ts';
import { type FileImage, changeRecord, findToChange, readFacts } from './image.ts';
import type { Layout, Place } from './layout.ts';

export async function trash(layout: Layout, { fence }: FencedContext, image: string): Promise<void> {
  const standing = await findToChange(layout, image, fence);
  if (standing === null) return;
  await move(layout, await changeRecord(layout, standing, fence), 'trash');
}

export async function restore(layout: Layout, { fence }: FencedContext, image: string): Promise<ImageFacts> {
  const standing = await findToChange(layout, image, fence);
  if (standing === null) throw noImage(image);
  await move(layout, await changeRecord(layout, standing, fence), 'live');
  return await readFacts(layout, image);
}

/**
 * The image goes first and its record last: what is cut off between is absent, and a repeat finds by the record what
 * remains. Clones have blocks of their own, or share them by the file system's count, so they stay whole.
 */
export async function purge(layout: Layout, { fence }: FencedContext, image: string): Promise<void> {
  const standing = await findToChange(layout, image, fence);
  await unlinkDurably(layout.imageFile(standing?.place ?? 'live', image));
  await rm(layout.snapshotDirectory(image), { recursive: true, force: true });
  await syncDirectory(layout.snapshotsDirectory);
  await clearTemporaryFiles(layout, image);
  await unlinkDurably(layout.recordFile('live', image));
  await unlinkDurably(layout.recordFile('trash', image));
}

/** The rename of the file is what moves the image; see `findImage`. Snapshots stay where they are, found by its name. */
async function move(layout: Layout, standing: FileImage, to: Place): Promise<void> {
  const { image, place: from } = standing;
  if (from === to) return;
  if (standing.hasFile) await renameDurably(layout.imageFile(from, image), layout.imageFile(to, image));
  await renameDurably(layout.recordFile(from, image), layout.recordFile(to, image));
}

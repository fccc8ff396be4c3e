import { mkdir, readdir } from 'node:fs/promises';
import type { BackendContext, FencedContext, ImageFacts, SnapshotFacts } from '../backend.ts';
import { noImage, noSnapshot } from '../image-rules.ts';
import { copyToTemporary } from './copy.ts';
import { renameDurably, syncDirectory, unlinkDurably } from './durable.ts';
import { unlessAbsent } from './errno.ts';
import { changeRecord, fileSize, findImage, findLive, findToChange, readFacts } from './image.ts';
import { type Layout, snapshotOfFile } from './layout.ts';

export async function createSnapshot(
  layout: Layout,
  { fence, signal }: FencedContext,
  image: string,
  snapshot: string,
): Promise<SnapshotFacts> {
  const file = layout.snapshotFile(image, snapshot);
  const standing = await findLive(layout, image, fence);
  await changeRecord(layout, standing, fence);
  const existingBytes = await fileSize(file);
  if (existingBytes !== null) return { snapshot, sizeBytes: existingBytes };
  const temporary = await copyToTemporary(layout, image, layout.imageFile('live', image), signal);
  await mkdir(layout.snapshotDirectory(image), { recursive: true });
  await syncDirectory(layout.snapshotsDirectory);
  await renameDurably(temporary, file);
  return { snapshot, sizeBytes: (await fileSize(file)) ?? standing.sizeBytes };
}

export async function listSnapshots(
  layout: Layout,
  { signal }: BackendContext,
  image: string,
): Promise<readonly SnapshotFacts[]> {
  if ((await findImage(layout, image)) === null) throw noImage(image);
  const found: SnapshotFacts[] = [];
  for (const snapshot of await snapshotNames(layout, image)) {
    signal.throwIfAborted();
    const sizeBytes = await fileSize(layout.snapshotFile(image, snapshot));
    if (sizeBytes !== null) found.push({ snapshot, sizeBytes });
  }
  return found;
}

/** Also of an image in the trash, and of one whose file is gone. */
export async function deleteSnapshot(
  layout: Layout,
  { fence }: FencedContext,
  image: string,
  snapshot: string,
): Promise<void> {
  const file = layout.snapshotFile(image, snapshot);
  const standing = await findToChange(layout, image, fence);
  if (standing !== null) await changeRecord(layout, standing, fence);
  await unlinkDurably(file);
}

/** The copy takes the image's name in one step: before it the content is the old one, after it the snapshot's. */
export async function revert(
  layout: Layout,
  { fence, signal }: FencedContext,
  image: string,
  snapshot: string,
): Promise<ImageFacts> {
  const file = layout.snapshotFile(image, snapshot);
  const standing = await findLive(layout, image, fence);
  if ((await fileSize(file)) === null) throw noSnapshot(image, snapshot);
  await changeRecord(layout, standing, fence);
  const temporary = await copyToTemporary(layout, image, file, signal);
  await renameDurably(temporary, layout.imageFile('live', image));
  return await readFacts(layout, image);
}

async function snapshotNames(layout: Layout, image: string): Promise<readonly string[]> {
  const files = await unlessAbsent(readdir(layout.snapshotDirectory(image)), []);
  return files.map(snapshotOfFile).filter((name) => name !== null);
}

import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { CreateImage, FencedContext, ImageFacts } from '../backend.ts';
import {
  isInTrash,
  noSnapshot,
  refuseSmallClone,
  refuseStaleFence,
  refuseUnlessAdoptable,
  refuseUnlessOurs,
} from '../image-rules.ts';
import { copyToTemporary } from './copy.ts';
import { renameDurably, syncDirectory, unlinkDurably } from './durable.ts';
import { type FileImage, changeRecord, fileSize, findLive, findToChange, readFacts } from './image.ts';
import type { Layout } from './layout.ts';
import { FOREIGN_RECORD, type ImageRecord, readRecord, writeRecord } from './record.ts';

/** Makes, completes or adopts an image. The record is written first, so that a cut-off create is known for ours. */
export async function create(layout: Layout, context: FencedContext, params: CreateImage): Promise<ImageFacts> {
  refuseHugeSize(params.sizeBytes);
  const { image, volumeId, name } = params;
  const standing = await findToChange(layout, image, context.fence);
  if (standing?.place === 'trash') throw isInTrash(image);
  if (standing !== null) refuseUnlessOurs(standing, params);
  const source = standing?.hasFile === true ? null : await findSource(layout, params);
  const begun = standing ?? (await fromRemains(layout, context.fence, params));
  const creating = isWhole(begun, params) ? null : { sizeBytes: String(params.sizeBytes) };
  const tag = begun.volumeId === null ? { volumeId, name } : {};
  const intended = await changeRecord(layout, begun, context.fence, { ...tag, creating });
  context.signal.throwIfAborted();
  if (creating !== null) {
    if (source === null) await growFile(layout.imageFile('live', image), params.sizeBytes);
    else await copySource(layout, source, params, context.signal);
    await changeRecord(layout, intended, context.fence, { creating: null });
  }
  return await readFacts(layout, image);
}

/** Puts a tag on an image that is not ours yet. */
export async function adopt(
  layout: Layout,
  { fence }: FencedContext,
  image: string,
  { volumeId, name }: { readonly volumeId: string; readonly name: string },
): Promise<ImageFacts> {
  const standing = await findLive(layout, image, fence);
  refuseUnlessAdoptable(standing, volumeId);
  const tag = standing.volumeId === null ? { volumeId, name } : {};
  await changeRecord(layout, standing, fence, { ...tag, creating: null });
  return await readFacts(layout, image);
}

/** Makes a file this long, sparse, and new if need be. It is durable when this resolves. */
export async function growFile(file: string, sizeBytes: bigint): Promise<void> {
  refuseHugeSize(sizeBytes);
  const handle: FileHandle = await open(file, 'a');
  try {
    await handle.truncate(Number(sizeBytes));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await syncDirectory(dirname(file));
}

/** A create that is repeated after its last step has nothing left to do, not even a record to write. */
function isWhole(standing: FileImage, params: CreateImage): boolean {
  return standing.hasFile && standing.sizeBytes === params.sizeBytes;
}

interface Source {
  readonly file: string;
}

async function findSource(layout: Layout, params: CreateImage): Promise<Source | null> {
  if (params.source === undefined) return null;
  const file = layout.snapshotFile(params.source.image, params.source.snapshot);
  const sizeBytes = await fileSize(file);
  if (sizeBytes === null) throw noSnapshot(params.source.image, params.source.snapshot);
  refuseSmallClone(params, sizeBytes);
  return { file };
}

/** The copy gets its full length before its name, so that an image of that name is a whole one. */
async function copySource(layout: Layout, source: Source, params: CreateImage, signal: AbortSignal): Promise<void> {
  const temporary = await copyToTemporary(layout, params.image, source.file, signal, params.sizeBytes);
  await renameDurably(temporary, layout.imageFile('live', params.image));
}

/**
 * An image to be made. When its record is still there without a file, somebody removed the file: our own is made anew
 * and keeps its fence and its snapshots, another's is for people to look at.
 */
async function fromRemains(layout: Layout, fence: number, { image, volumeId }: CreateImage): Promise<FileImage> {
  const live = await readRecord(layout, 'live', image);
  const record: ImageRecord = live ?? (await readRecord(layout, 'trash', image)) ?? FOREIGN_RECORD;
  const remains = { image, ...record, sizeBytes: 0n, place: 'live' as const, hasFile: false, isTwice: false };
  refuseStaleFence(remains, fence);
  refuseUnlessAdoptable(remains, volumeId);
  const begun: ImageRecord = { ...record, attachment: null };
  if (live === null && record !== FOREIGN_RECORD) {
    await writeRecord(layout, 'live', image, { ...begun, creating: { sizeBytes: '0' } });
    await unlinkDurably(layout.recordFile('trash', image));
  }
  return { ...remains, attachment: null, record: begun, recordPlace: null };
}

/** Node counts the length of a file in doubles. */
function refuseHugeSize(sizeBytes: bigint): void {
  if (sizeBytes <= BigInt(Number.MAX_SAFE_INTEGER)) return;
  const message = `An image file has at most ${Number.MAX_SAFE_INTEGER} bytes; ${sizeBytes} were asked for.`;
  throw new HoldfastError('invalid', message);
}

import { lstat } from 'node:fs/promises';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { ImageFacts } from '../backend.ts';
import { isInTrash, noImage, refuseStaleFence } from '../image-rules.ts';
import type { OwnedImage } from '../image-rules.ts';
import { renameDurably } from './durable.ts';
import { unlessAbsent } from './errno.ts';
import type { Layout, Place } from './layout.ts';
import { FOREIGN_RECORD, type ImageRecord, readRecord, writeRecord } from './record.ts';

/** How often an image is looked for, since it may move between live and trash while both are read. */
const LOOKS_MAX = 3;

/** An image as its files tell it. */
export interface FileImage extends OwnedImage {
  readonly place: Place;
  /** `false` while only the record of a create is there. */
  readonly hasFile: boolean;
  /** Where the record stands, which after a cut-off move is not yet where the file is. */
  readonly recordPlace: Place | null;
  readonly record: ImageRecord;
  /** Whether an image of this name stands live and another one in the trash. */
  readonly isTwice: boolean;
}

/** Finds an image by its files; `null` when there is none, though remains of one may be there. */
export async function findImage(layout: Layout, image: string): Promise<FileImage | null> {
  let found: FileImage | null = null;
  for (let look = 0; look < LOOKS_MAX; look++) {
    found = await lookFor(layout, image);
    if (found !== null && found.recordPlace !== null) break;
  }
  return found;
}

/**
 * The place of an image is the place of its file, whose rename is the one step that moves it; the record follows. An
 * image that is complete by its record but has no file was removed behind our back.
 */
async function lookFor(layout: Layout, image: string): Promise<FileImage | null> {
  const live = await fileSize(layout.imageFile('live', image));
  const trashed = await fileSize(layout.imageFile('trash', image));
  const isTwice = live !== null && trashed !== null;
  const place: Place = live === null && trashed !== null ? 'trash' : 'live';
  const other: Place = place === 'live' ? 'trash' : 'live';
  let [recordPlace, record]: [Place, ImageRecord | null] = [place, await readRecord(layout, place, image)];
  if (record === null && !isTwice) [recordPlace, record] = [other, await readRecord(layout, other, image)];
  const sizeBytes = live ?? trashed;
  if (sizeBytes === null && (record === null || record.creating === null)) return null;
  const { volumeId, fence, attachment } = record ?? FOREIGN_RECORD;
  return {
    image,
    volumeId,
    fence,
    attachment,
    sizeBytes: sizeBytes ?? 0n,
    place: sizeBytes === null ? recordPlace : place,
    hasFile: sizeBytes !== null,
    recordPlace: record === null ? null : recordPlace,
    record: record ?? FOREIGN_RECORD,
    isTwice,
  };
}

/** For a change: the image with its record beside it. Throws `conflict` for a stale fence, or a name used twice. */
export async function findToChange(layout: Layout, image: string, fence: number): Promise<FileImage | null> {
  const found = await findImage(layout, image);
  if (found === null) return null;
  if (found.isTwice) {
    const message = `Image ${image} stands in images and in trash of ${layout.directory}; move one of them away.`;
    throw new HoldfastError('conflict', message);
  }
  refuseStaleFence(found, fence);
  if (found.recordPlace === null || found.recordPlace === found.place) return found;
  await renameDurably(layout.recordFile(found.recordPlace, image), layout.recordFile(found.place, image));
  return { ...found, recordPlace: found.place };
}

/** As {@link findToChange}, for verbs that need a live image. Throws `not_found`, or `conflict` in the trash. */
export async function findLive(layout: Layout, image: string, fence: number): Promise<FileImage> {
  const found = await findToChange(layout, image, fence);
  if (found === null) throw noImage(image);
  if (found.place === 'trash') throw isInTrash(image);
  if (!found.hasFile) throw new HoldfastError('conflict', `Image ${image} is not complete; create it again first.`);
  return found;
}

/** Changes the record, beside the image, and keeps the fence in it. Writes nothing when nothing differs. */
export async function changeRecord(
  layout: Layout,
  found: FileImage,
  fence: number,
  change: Partial<ImageRecord> = {},
): Promise<FileImage> {
  const record = { ...found.record, ...change, fence };
  if (found.recordPlace !== null && JSON.stringify(record) === JSON.stringify(found.record)) return found;
  await writeRecord(layout, found.place, found.image, record);
  const { volumeId, attachment } = record;
  return { ...found, volumeId, attachment, fence, record, recordPlace: found.place };
}

export function factsOf(layout: Layout, found: FileImage): ImageFacts {
  const { image, place, sizeBytes, volumeId, record, attachment } = found;
  return {
    image,
    volumeId,
    name: record.name,
    sizeBytes,
    place,
    complete: found.hasFile && record.creating === null,
    attachment,
    watchers: [],
    location: layout.imageFile(place, image),
  };
}

/** The facts after a change, read anew. */
export async function readFacts(layout: Layout, image: string): Promise<ImageFacts> {
  const found = await findImage(layout, image);
  if (found === null) throw noImage(image);
  return factsOf(layout, found);
}

/** The size of a file in bytes; `null` when it is absent. */
export async function fileSize(file: string): Promise<bigint | null> {
  const stats = await unlessAbsent(lstat(file, { bigint: true }), null);
  if (stats === null) return null;
  if (stats.isFile()) return stats.size;
  throw new HoldfastError('backend', `Image file ${file} is not a regular file.`);
}

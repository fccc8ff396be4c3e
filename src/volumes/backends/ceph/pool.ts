import type { ImageFacts } from '../backend.ts';
import { CephImage } from './image.ts';
import type { CephSession, ImageRef } from './session.ts';
import { readTags } from './tags.ts';

export interface TrashEntry {
  readonly id: string;
  readonly name: string;
  readonly deletedAtSeconds: bigint;
}

/** An image may move between live and trash while both are read, so an absence is believed when seen twice. */
const LOCATE_TRIES = 2;

/** Names of all live images of the pool, in byte order. */
export async function liveNames(session: CephSession): Promise<readonly string[]> {
  const { lib, io, pool } = session;
  const entries = (await lib.readList(
    'rbd_image_spec_t',
    'rbd_image_spec_list_cleanup',
    (list, count) => lib.rbd.rbd_list2(io, list, count),
    `listing the images of pool ${pool}`,
  )) as readonly { name: string }[];
  return entries.map((entry) => entry.name).sort(byteOrder);
}

/** The newest entry of that name in the pool's trash; names are not unique there. */
export async function findInTrash(session: CephSession, name: string): Promise<TrashEntry | null> {
  const { lib, io, pool } = session;
  const entries = (await lib.readList(
    'rbd_trash_image_info_t',
    'rbd_trash_list_cleanup',
    (list, count) => lib.rbd.rbd_trash_list(io, list, count),
    `listing the trash of pool ${pool}`,
  )) as readonly { id: string; name: string; deletion_time: number | bigint }[];
  let newest: TrashEntry | null = null;
  for (const entry of entries) {
    if (entry.name !== name) continue;
    const deletedAtSeconds = BigInt(entry.deletion_time);
    if (newest !== null && newest.deletedAtSeconds > deletedAtSeconds) continue;
    newest = { id: entry.id, name: entry.name, deletedAtSeconds };
  }
  return newest;
}

/** Reads one image, live or in the trash; `null` when it is neither. */
export async function readFacts(session: CephSession, name: string): Promise<ImageFacts | null> {
  for (let attempt = 0; attempt < LOCATE_TRIES; attempt++) {
    const live = await readLiveFacts(session, name);
    if (live !== null) return live;
    const entry = await findInTrash(session, name);
    if (entry !== null) return (await factsAt(session, { id: entry.id }, name, 'trash')) ?? remains(session, name);
  }
  return null;
}

export function readLiveFacts(session: CephSession, name: string): Promise<ImageFacts | null> {
  return factsAt(session, { name }, name, 'live');
}

/** The facts of an image that is open. */
export async function factsOf(
  session: CephSession,
  image: CephImage,
  name: string,
  place: ImageFacts['place'],
): Promise<ImageFacts> {
  const sizeBytes = await image.sizeBytes();
  const tags = await readTags(image);
  const watchers = await image.watchers();
  return {
    image: name,
    volumeId: tags.volumeId,
    name: tags.name,
    sizeBytes,
    place,
    complete: tags.complete,
    attachment: tags.attachment,
    watchers: watchers.map((watcher) => watcher.address),
    location: `${session.pool}/${name}`,
  };
}

export function byteOrder(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function factsAt(session: CephSession, ref: ImageRef, name: string, place: ImageFacts['place']) {
  return CephImage.with(session, ref, 'ro', (image) => factsOf(session, image, name, place));
}

/** A removal that was cut off leaves an entry in the trash without an image; a purge ends it. */
function remains(session: CephSession, name: string): ImageFacts {
  return {
    image: name,
    volumeId: null,
    name: null,
    sizeBytes: 0n,
    place: 'trash',
    complete: false,
    attachment: null,
    watchers: [],
    location: `${session.pool}/${name}`,
  };
}

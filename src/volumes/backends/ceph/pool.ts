import type { ImageFacts } from '../backend.ts';
import { CephImage } from './image.ts';
import type { CephSession, ImageRef } from './session.ts';
import { type TagValues, readTags } from './tags.ts';
import type { TrashEntry } from './trash-list.ts';

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
  let newest: TrashEntry | null = null;
  for (const entry of await session.trash.run()) {
    if (entry.name !== name) continue;
    if (newest !== null && newest.deletedAtSeconds > entry.deletedAtSeconds) continue;
    newest = entry;
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

/**
 * The facts of an image that is open.
 *
 * @param known tags that have just been written, so that they need not be read again
 */
export async function factsOf(
  session: CephSession,
  image: CephImage,
  name: string,
  place: ImageFacts['place'],
  known?: TagValues,
): Promise<ImageFacts> {
  const [sizeBytes, tags, watchers] = await Promise.all([
    image.sizeBytes(),
    known ?? readTags(image),
    image.watchers(),
  ]);
  const addresses = watchers.map((watcher) => watcher.address);
  return factsFrom(session, name, { tags, sizeBytes, place, watchers: addresses });
}

/** Facts put together from what is known of an image. */
export function factsFrom(
  { pool }: CephSession,
  name: string,
  known: { readonly tags: TagValues } & Pick<ImageFacts, 'sizeBytes' | 'place' | 'watchers'>,
): ImageFacts {
  const { volumeId, name: nameForPeople, complete, attachment } = known.tags;
  const { sizeBytes, place, watchers } = known;
  const location = `${pool}/${name}`;
  return { image: name, volumeId, name: nameForPeople, sizeBytes, place, complete, attachment, watchers, location };
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

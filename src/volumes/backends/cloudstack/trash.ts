import type { FencedContext, ImageFacts } from '../backend.ts';
import { noImage } from '../image-rules.ts';
import { disconnect, refuseStranger } from './attach.ts';
import { isInTrash } from './naming.ts';
import { type VolumeRow, placeOf } from './row.ts';
import { type Session, addTags, changeVolume, factsNow, raiseFence, removeTags, steady } from './session.ts';
import { removeSnapshots } from './snapshots.ts';
import { KEY } from './tags.ts';

/**
 * Destroys the volume without expunging it, which is CloudStack's own trash: it keeps what lies there until its cleanup
 * (`storage.cleanup.delay`, a day by default). A volume that was never attached has no bytes, and CloudStack does not
 * destroy it in this way, so a tag says of it that it is in the trash.
 */
export async function trash(session: Session, context: FencedContext, image: string): Promise<void> {
  const row = await steady(session, context, image);
  if (row === null) return;
  refuseStranger(image, row);
  await raiseFence(session, context, row);
  if (isInTrash(row)) return;
  if (row.state === 'Allocated') await addTags(session, context, row, { [KEY.trash]: '1' });
  else {
    const parameters = { id: row.id, expunge: 'false' };
    await changeVolume(session, context, row, 'destroyVolume', parameters, (now) => now === null || isDestroyed(now));
  }
}

export async function restore(session: Session, context: FencedContext, image: string): Promise<ImageFacts> {
  const row = await steady(session, context, image);
  if (row === null) throw noImage(image);
  await raiseFence(session, context, row);
  if (isDestroyed(row)) {
    const isBack = (now: VolumeRow | null) => now !== null && !isDestroyed(now);
    await changeVolume(session, context, row, 'recoverVolume', { id: row.id }, isBack);
  }
  if (row.tags.has(KEY.trash)) await removeTags(session, context, row, { [KEY.trash]: '1' });
  return await factsNow(session, context, image, row.id);
}

/** Removes the volume and the snapshots that Holdfast took of it, for good. One at a VM of ours is taken off it first. */
export async function purge(session: Session, context: FencedContext, image: string): Promise<void> {
  const row = await steady(session, context, image);
  if (row === null) return;
  refuseStranger(image, row);
  await raiseFence(session, context, row);
  await disconnect(session, context, row);
  await removeSnapshots(session, context, row);
  const isGone = (now: VolumeRow | null) => now === null || placeOf(now.state) === 'gone';
  await changeVolume(session, context, row, 'deleteVolume', { id: row.id }, isGone);
}

function isDestroyed(row: VolumeRow): boolean {
  return placeOf(row.state) === 'trash';
}

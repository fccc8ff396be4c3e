import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { CreateImage, FencedContext, ImageFacts } from '../backend.ts';
import {
  isInTrash as refusalInTrash,
  noSnapshot,
  refuseShrinking,
  refuseSmallClone,
  refuseUnlessAdoptable,
  refuseUnlessOurs,
} from '../image-rules.ts';
import type { JobEnd } from './jobs.ts';
import { isObject, textIn } from './json.ts';
import { holderOf, isInTrash, toFacts } from './naming.ts';
import { placingOf } from './placing.ts';
import { type VolumeRow, placeOf } from './row.ts';
import {
  type Session,
  addTags,
  changeVolume,
  factsNow,
  jobVanished,
  raiseFence,
  requireLive,
  steady,
} from './session.ts';
import { type SnapshotRow, findSnapshot } from './snapshots.ts';
import { toGib } from './sizes.ts';
import { KEY, fenceKey, ownedOf, ownerTags } from './tags.ts';

/** Makes a volume, or adopts and completes what an earlier attempt left of it. */
export async function create(session: Session, context: FencedContext, params: CreateImage): Promise<ImageFacts> {
  const { image, qos = {} } = params;
  if (Object.keys(qos).length > 0) throw noQos();
  const standing = await steady(session, context, image);
  if (standing !== null && isInTrash(standing)) throw refusalInTrash(image);
  if (standing?.sizeBytes !== params.sizeBytes) toGib(params.sizeBytes);
  const source = await sourceOf(session, context, params, standing);
  if (standing !== null && !(await isLeftUnfinished(session, context, params, standing))) {
    if (!isOwnClone(standing, params, source)) refuseUnlessOurs(ownedOf(image, standing), params);
    return await complete(session, context, params, standing);
  }
  if (source !== null) refuseSmallClone(params, source.sizeBytes);
  const ended = await submit(session, context, params, source);
  const id = madeBy(ended);
  const rows = await session.volumes.named(image, context.signal);
  const made = rows.find((row) => row.id === id) ?? holderOf(rows);
  if (made === null || placeOf(made.state) === 'unfinished') throw notMade(ended);
  if (made.id !== id && !isOwnClone(made, params, source)) refuseUnlessOurs(ownedOf(image, made), params);
  return await complete(session, context, params, made);
}

/** Puts our tag on a volume that somebody else made. */
export async function adopt(
  session: Session,
  context: FencedContext,
  image: string,
  tag: { readonly volumeId: string; readonly name: string },
): Promise<ImageFacts> {
  const row = await requireLive(session, context, image);
  refuseUnlessAdoptable(ownedOf(image, row), tag.volumeId);
  await own(session, context, row, tag);
  return await factsNow(session, context, image, row.id);
}

export async function resize(
  session: Session,
  context: FencedContext,
  image: string,
  sizeBytes: bigint,
): Promise<ImageFacts> {
  const row = await requireLive(session, context, image);
  refuseShrinking(ownedOf(image, row), sizeBytes);
  if (row.sizeBytes !== sizeBytes) toGib(sizeBytes);
  await raiseFence(session, context, row);
  await grow(session, context, row, sizeBytes);
  return await factsNow(session, context, image, row.id);
}

export function noQos(): HoldfastError {
  const message = 'CloudStack takes limits from the disk offering; they cannot be set for one volume.';
  return new HoldfastError('unsupported', message);
}

/** A snapshot, and the zone of the volume that it was taken of, where a clone is made as well. */
interface Source extends SnapshotRow {
  readonly zoneId: string | null;
}

/** The snapshot to clone; `null` without one, and for a volume that stands tagged: its content is there already. */
async function sourceOf(
  session: Session,
  { signal }: FencedContext,
  { source }: CreateImage,
  standing: VolumeRow | null,
): Promise<Source | null> {
  if (source === undefined || standing?.tags.has(KEY.volumeId) === true) return null;
  const parent = await session.volumes.find(source.image, signal);
  const snapshot = parent === null ? null : await findSnapshot(session, parent, source.snapshot, signal);
  if (parent === null || snapshot === null) throw noSnapshot(source.image, source.snapshot);
  return { ...snapshot, zoneId: parent.zoneId };
}

/**
 * A clone that was cut off before its tag. That it carries the volume's id as its name, and the wanted snapshot as its
 * origin, only our own create can have brought about.
 */
function isOwnClone(row: VolumeRow, { image, volumeId }: CreateImage, source: Source | null): boolean {
  return source !== null && !row.tags.has(KEY.volumeId) && image === volumeId && row.snapshotId === source.id;
}

/** Removes what a create of ours left that will never be whole: a restart ended its job. */
async function isLeftUnfinished(
  session: Session,
  context: FencedContext,
  { image, volumeId }: CreateImage,
  row: VolumeRow,
): Promise<boolean> {
  if (placeOf(row.state) !== 'unfinished' || row.tags.has(KEY.volumeId) || image !== volumeId) return false;
  await remove(session, context, row);
  return true;
}

/** The facts are those of the volume alone, without the fence: an attempt after a hand-over must find the job as well. */
async function submit(
  session: Session,
  { signal }: FencedContext,
  params: CreateImage,
  source: Source | null,
): Promise<JobEnd> {
  const { image, volumeId } = params;
  const parameters = { name: image, ...(await placingOf(session, params, source, signal)) };
  return await session.jobs.run('createVolume', parameters, [volumeId, image], signal);
}

/** The id of the volume that the job made, when the job says so. */
function madeBy(ended: JobEnd): string | null {
  const volume = ended.end === 'done' ? ended.result['volume'] : null;
  return isObject(volume) ? textIn(volume, 'id') : null;
}

function notMade(ended: JobEnd): HoldfastError {
  return ended.end === 'failed' ? ended.error : jobVanished('createVolume');
}

/** Tags the volume and brings it to its size, each unless it is so already. */
async function complete(
  session: Session,
  context: FencedContext,
  params: CreateImage,
  row: VolumeRow,
): Promise<ImageFacts> {
  const { image, sizeBytes } = params;
  await own(session, context, row, params);
  await grow(session, context, row, sizeBytes);
  const rows = await session.volumes.named(image, context.signal);
  const holder = holderOf(rows);
  if (holder === null) return await factsNow(session, context, image, row.id);
  // Names are not unique, so another process may have made one of the same name at the same time: the older one stays.
  if (holder.id !== row.id && row.name === image) {
    await remove(session, context, row);
    refuseUnlessOurs(ownedOf(image, holder), params);
  }
  await removeStrays(session, context, params, rows, holder);
  return toFacts(image, holder.id === row.id || row.name === image ? holder : row);
}

async function own(
  session: Session,
  context: FencedContext,
  row: VolumeRow,
  tag: { readonly volumeId: string; readonly name: string },
): Promise<void> {
  if (row.tags.has(KEY.volumeId)) return await raiseFence(session, context, row);
  const fence = { [fenceKey(context.fence)]: '1' };
  const isSeen = row.tags.has(fenceKey(context.fence));
  await addTags(session, context, row, { ...ownerTags(tag), ...(isSeen ? {} : fence) });
}

async function grow(session: Session, context: FencedContext, row: VolumeRow, sizeBytes: bigint): Promise<void> {
  if (row.sizeBytes === sizeBytes) return;
  const parameters = { id: row.id, size: toGib(sizeBytes) };
  await changeVolume(session, context, row, 'resizeVolume', parameters, (now) => now?.sizeBytes === sizeBytes);
}

/**
 * CloudStack enters a new volume before it looks at the job's id, so a create that arrives twice leaves a second volume
 * of the same name, without a job. It has no bytes, and its name was given by us alone.
 */
async function removeStrays(
  session: Session,
  context: FencedContext,
  { image, volumeId }: CreateImage,
  rows: readonly VolumeRow[],
  holder: VolumeRow,
): Promise<void> {
  if (image !== volumeId) return;
  const strays = rows.filter(({ id, state, tags }) => id !== holder.id && state === 'Allocated' && tags.size === 0);
  for (const stray of strays) await remove(session, context, stray);
}

async function remove(session: Session, context: FencedContext, row: VolumeRow): Promise<void> {
  const isGone = (now: VolumeRow | null) => now === null || placeOf(now.state) === 'gone';
  await changeVolume(session, context, row, 'deleteVolume', { id: row.id }, isGone);
}

import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { FencedContext, ImageFacts } from '../backend.ts';
import { noImage, isInTrash as refusalInTrash, refuseStaleFence } from '../image-rules.ts';
import type { CloudStackClient } from './client.ts';
import type { Jobs } from './jobs.ts';
import { isInTrash, toFacts } from './naming.ts';
import type { VolumeRow } from './row.ts';
import { fenceKey, fencesOf, ownedOf } from './tags.ts';
import type { Volumes } from './volumes.ts';

/** What the verbs work with. It remembers nothing of volumes. */
export interface Session {
  readonly client: CloudStackClient;
  readonly jobs: Jobs;
  readonly volumes: Volumes;
  readonly zoneId: string;
  /** The offering of new volumes; it must let the size be chosen. */
  readonly diskOfferingId: string;
}

/** Jobs on one volume that are waited for, one after another, before it is left to a later attempt. */
const pendingMax = 20;

/**
 * The volume, when nothing is under way on it any more, and the fence is not stale. What another process began before it
 * died, such as an attach, is thereby followed to its end before anything is decided.
 */
export async function steady(session: Session, context: FencedContext, image: string): Promise<VolumeRow | null> {
  for (let waited = 0; waited < pendingMax; waited++) {
    const row = await session.volumes.find(image, context.signal);
    if (row === null) return null;
    refuseStaleFence(ownedOf(image, row), context.fence);
    if (row.jobId === null) return row;
    await session.jobs.follow(row.jobId, context.signal);
  }
  throw new HoldfastError('unavailable', `CloudStack has one job after another on volume ${image}.`);
}

/** The same, for a volume that must stand, live. */
export async function requireLive(session: Session, context: FencedContext, image: string): Promise<VolumeRow> {
  const row = await steady(session, context, image);
  if (row === null) throw noImage(image);
  if (isInTrash(row)) throw refusalInTrash(image);
  return row;
}

/** Keeps the fence with the volume, before the change that it covers. */
export async function raiseFence(session: Session, context: FencedContext, row: VolumeRow): Promise<void> {
  const seen = fencesOf(row);
  if (seen.includes(context.fence)) return;
  await addTags(session, context, row, { [fenceKey(context.fence)]: '1' });
  if (seen.length > 0) await removeTags(session, context, row, Object.fromEntries(seen.map((f) => [fenceKey(f), '1'])));
}

/**
 * Adds tags, all or none. Throws CloudStack's error when one of the keys is there already, unless with these values: then
 * an earlier attempt has done it.
 */
export async function addTags(
  session: Session,
  context: FencedContext,
  row: VolumeRow,
  tags: Readonly<Record<string, string>>,
): Promise<void> {
  const undone = await changeTags('createTags', session, context, row, tags);
  if (undone === null) return;
  const { now, error } = undone;
  if (now === null) throw noImage(row.name);
  if (Object.entries(tags).some(([key, value]) => now.tags.get(key) !== value)) throw error;
}

/** Removes tags that have exactly these values; absent ones are success. */
export async function removeTags(
  session: Session,
  context: FencedContext,
  row: VolumeRow,
  tags: Readonly<Record<string, string>>,
): Promise<void> {
  const undone = await changeTags('deleteTags', session, context, row, tags);
  if (undone === null) return;
  const { now, error } = undone;
  if (now !== null && Object.entries(tags).some(([key, value]) => now.tags.get(key) === value)) throw error;
}

/** Gives `null` when the job says that it is done, else its error and the row as it is now, which decides. */
async function changeTags(
  command: 'createTags' | 'deleteTags',
  session: Session,
  context: FencedContext,
  row: VolumeRow,
  tags: Readonly<Record<string, string>>,
): Promise<{ readonly now: VolumeRow | null; readonly error: unknown } | null> {
  const facts = [row.id, context.fence, JSON.stringify(tags)];
  const ended = await session.jobs.run(command, tagParameters(row, tags), facts, context.signal);
  if (ended.end === 'done') return null;
  const now = await session.volumes.byId(row.id, context.signal);
  return { now, error: ended.end === 'failed' ? ended.error : jobVanished(command) };
}

/** The facts after a change, read anew. */
export async function factsNow(
  session: Session,
  context: FencedContext,
  image: string,
  id: string,
): Promise<ImageFacts> {
  const row = await session.volumes.byId(id, context.signal);
  if (row === null) throw noImage(image);
  return toFacts(image, row);
}

/**
 * Runs a command on a volume and judges by the volume, not by the job: a job that failed may have acted all the same, and
 * one that vanished may have ended well.
 *
 * @param isDone whether the wish is fulfilled by the volume as it is after the job; `null` when it is gone
 */
export async function changeVolume(
  session: Session,
  context: FencedContext,
  row: VolumeRow,
  command: string,
  parameters: Readonly<Record<string, string>>,
  isDone: (now: VolumeRow | null) => boolean,
): Promise<void> {
  const facts = [row.id, context.fence, JSON.stringify(parameters)];
  const ended = await session.jobs.run(command, parameters, facts, context.signal);
  const now = await session.volumes.byId(row.id, context.signal);
  if (isDone(now)) return;
  if (ended.end === 'failed') throw ended.error;
  if (ended.end === 'vanished') throw jobVanished(command);
  const state = now === null ? 'is gone' : `is ${now.state}`;
  throw new HoldfastError('backend', `CloudStack says that ${command} is done, but volume ${row.name} ${state}.`);
}

export function jobVanished(command: string): HoldfastError {
  const message = `CloudStack has forgotten the job of ${command}, and what it was for is not done.`;
  return new HoldfastError('unavailable', message);
}

function tagParameters(row: VolumeRow, tags: Readonly<Record<string, string>>): Record<string, string> {
  const parameters: Record<string, string> = { resourceids: row.id, resourcetype: 'Volume' };
  for (const [index, [key, value]] of Object.entries(tags).entries()) {
    parameters[`tags[${index}].key`] = key;
    parameters[`tags[${index}].value`] = value;
  }
  return parameters;
}

import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { FencedContext, ImageFacts, SnapshotFacts } from '../backend.ts';
import { noImage, noSnapshot } from '../image-rules.ts';
import { type JsonObject, bigintIn, integerIn, objectsIn, requiredText, textIn } from './json.ts';
import type { VolumeRow } from './row.ts';
import { type Session, factsNow, jobVanished, raiseFence, requireLive, steady } from './session.ts';

/** A snapshot that Holdfast took, as CloudStack lists it. */
export interface SnapshotRow {
  readonly id: string;
  /** Its name without our prefix. */
  readonly snapshot: string;
  readonly state: string;
  readonly sizeBytes: bigint;
  readonly created: string;
  readonly jobId: string | null;
}

/**
 * Snapshots outlive their volume in CloudStack, and users take their own. Those of Holdfast have this prefix; no other is
 * listed, and none other is removed with the volume.
 */
const PREFIX = 'holdfast-';
const pageSize = 500;
const pagesMax = 20;
const pendingMax = 20;
/** A snapshot whose job has ended stays `CreatedOnPrimary` where no copy is made on secondary storage. */
const whole: readonly string[] = ['BackedUp', 'CreatedOnPrimary'];
const gone: readonly string[] = ['Destroying', 'Destroyed', 'Hidden', 'Error'];

export async function createSnapshot(
  session: Session,
  context: FencedContext,
  image: string,
  snapshot: string,
): Promise<SnapshotFacts> {
  const row = await requireLive(session, context, image);
  const standing = await findSettled(session, row, snapshot, context.signal);
  if (standing === null && row.state === 'Allocated') throw isEmpty(image);
  await raiseFence(session, context, row);
  if (standing !== null) return toFacts(standing);
  // One that stands half-made and without a job is stuck: a restart ended it. Another of the same name is taken then.
  const parameters = { volumeid: row.id, name: `${PREFIX}${snapshot}` };
  const facts = [row.id, context.fence, snapshot];
  const ended = await session.jobs.run('createSnapshot', parameters, facts, context.signal);
  const made = await findSettled(session, row, snapshot, context.signal);
  if (made !== null) return toFacts(made);
  throw ended.end === 'failed' ? ended.error : jobVanished('createSnapshot');
}

export async function listSnapshots(
  session: Session,
  image: string,
  signal: AbortSignal,
): Promise<readonly SnapshotFacts[]> {
  const row = await session.volumes.find(image, signal);
  if (row === null) throw noImage(image);
  const rows = (await snapshotsOf(session, row, signal)).filter(isWhole);
  return [...Map.groupBy(rows, ({ snapshot }) => snapshot).values()].map(([oldest]) => toFacts(oldest!));
}

export async function deleteSnapshot(
  session: Session,
  context: FencedContext,
  image: string,
  snapshot: string,
): Promise<void> {
  const row = await steady(session, context, image);
  if (row === null) return;
  await raiseFence(session, context, row);
  const named = (await snapshotsOf(session, row, context.signal)).filter((each) => each.snapshot === snapshot);
  for (const each of named) await removeSnapshot(session, context, row, each);
}

/** Removes every snapshot of the volume that Holdfast took. */
export async function removeSnapshots(session: Session, context: FencedContext, row: VolumeRow): Promise<void> {
  const snapshots = await snapshotsOf(session, row, context.signal);
  for (const snapshot of snapshots) await removeSnapshot(session, context, row, snapshot);
}

export async function revert(
  session: Session,
  context: FencedContext,
  image: string,
  snapshot: string,
): Promise<ImageFacts> {
  const row = await requireLive(session, context, image);
  const found = await findSettled(session, row, snapshot, context.signal);
  if (found === null) throw noSnapshot(image, snapshot);
  await raiseFence(session, context, row);
  const facts = [row.id, context.fence, found.id];
  const ended = await session.jobs.run('revertSnapshot', { id: found.id }, facts, context.signal);
  // Content cannot be judged by the row, so here the job alone tells; a revert that is repeated gives the same.
  if (ended.end === 'failed') throw ended.error;
  if (ended.end === 'vanished') throw jobVanished('revertSnapshot');
  return await factsNow(session, context, image, row.id);
}

/** A whole snapshot of that name; `null` when there is none. */
export async function findSnapshot(
  session: Session,
  row: VolumeRow,
  snapshot: string,
  signal: AbortSignal,
): Promise<SnapshotRow | null> {
  const rows = await snapshotsOf(session, row, signal);
  return rows.find((each) => each.snapshot === snapshot && isWhole(each)) ?? null;
}

/** The same, when no job is under way on one of that name any more. */
async function findSettled(
  session: Session,
  row: VolumeRow,
  snapshot: string,
  signal: AbortSignal,
): Promise<SnapshotRow | null> {
  for (let waited = 0; waited < pendingMax; waited++) {
    const named = (await snapshotsOf(session, row, signal)).filter((each) => each.snapshot === snapshot);
    const pending = named.find(({ jobId }) => jobId !== null);
    if (pending === undefined) return named.find(isWhole) ?? null;
    await session.jobs.follow(pending.jobId!, signal);
  }
  throw new HoldfastError('unavailable', `CloudStack has one job after another on snapshot ${snapshot}.`);
}

async function removeSnapshot(
  session: Session,
  context: FencedContext,
  row: VolumeRow,
  { id }: SnapshotRow,
): Promise<void> {
  const ended = await session.jobs.run('deleteSnapshot', { id }, [id, context.fence], context.signal);
  if (ended.end === 'done') return;
  const left = await snapshotsOf(session, row, context.signal);
  if (!left.some((each) => each.id === id)) return;
  throw ended.end === 'failed' ? ended.error : jobVanished('deleteSnapshot');
}

/** Our snapshots of a volume, half-made ones too, the oldest first. */
async function snapshotsOf(session: Session, row: VolumeRow, signal: AbortSignal): Promise<readonly SnapshotRow[]> {
  const rows = new Map<string, SnapshotRow>();
  for (let page = 1; page <= pagesMax; page++) {
    const paging = { page: String(page), pagesize: String(pageSize) };
    const answer = await session.client.call('listSnapshots', { volumeid: row.id, ...paging }, signal);
    const listed = objectsIn(answer, 'snapshot');
    for (const each of listed) {
      if (isOurs(each)) rows.set(requiredText(each, 'id', 'a snapshot'), toRow(each, row.sizeBytes));
    }
    if (listed.length < pageSize) break;
  }
  return [...rows.values()].toSorted((a, b) => order(a.created, b.created) || order(a.id, b.id));
}

function isOurs(object: JsonObject): boolean {
  const isThere = !gone.includes(textIn(object, 'state') ?? '');
  return isThere && textIn(object, 'name')?.startsWith(PREFIX) === true;
}

function toRow(object: JsonObject, volumeBytes: bigint): SnapshotRow {
  const isPending = integerIn(object, 'jobstatus') === 0;
  return {
    id: requiredText(object, 'id', 'a snapshot'),
    snapshot: requiredText(object, 'name', 'a snapshot').slice(PREFIX.length),
    state: textIn(object, 'state') ?? 'BackedUp',
    // Old servers do not tell it; then the volume's size is the best that is known.
    sizeBytes: bigintIn(object, 'virtualsize') ?? volumeBytes,
    created: textIn(object, 'created') ?? '',
    jobId: isPending ? textIn(object, 'jobid') : null,
  };
}

function isWhole({ state }: SnapshotRow): boolean {
  return whole.includes(state);
}

function toFacts({ snapshot, sizeBytes }: SnapshotRow): SnapshotFacts {
  return { snapshot, sizeBytes };
}

function order(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function isEmpty(image: string): HoldfastError {
  const message = `CloudStack makes the disk of volume ${image} when it is first attached; there is nothing to snapshot yet.`;
  return new HoldfastError('conflict', message, { reason: 'never_attached' });
}

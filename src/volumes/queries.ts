import { HoldfastError } from '../kernel/errors/errors.ts';
import type { Reader } from '../kernel/store/store.ts';
import type { VolumeState } from './fsm.ts';
import { toAttachment, toSnapshot, toVolume } from './rows.ts';
import { type AttachmentTable, type VolumeTable, volumeDb } from './tables.ts';
import type { Attachment, Snapshot, Volume } from './volume.ts';

/** What is told of the operation that changed a volume last. */
export interface LastOperation {
  readonly id: string;
  readonly kind: string;
  readonly status: string;
}

/** A volume with what is shown beside it. */
export interface VolumeDetail {
  readonly volume: Volume;
  readonly attachments: readonly Attachment[];
  readonly lastOperation: LastOperation | null;
}

type JoinedRow = VolumeTable & { operation_kind: string | null; operation_status: string | null };

const joined = `select v.*, o.kind as operation_kind, o.status as operation_status
  from volumes v left join operations o on o.id = v.last_operation_id`;
const byId = `${joined} where v.id = ?`;
const byName = `${joined} where v.name = ? and v.state <> 'deleted'`;
const openAttachments = `select * from attachments where volume_id = ? and state <> 'detached' order by generation`;

/** Whether a reference is an id; anything else is a name, since names that look like ids are refused. */
export function isVolumeId(reference: string): boolean {
  return reference.startsWith('vol-') && reference.length === 40;
}

/** A volume by its id, or by the name of one that is not deleted; `null` when there is none. */
export async function findVolumeDetail(reader: Reader, reference: string): Promise<VolumeDetail | null> {
  const [row] = await reader.rows<JoinedRow>(isVolumeId(reference) ? byId : byName, [reference]);
  if (row === undefined) return null;
  // A volume that was never attached has nothing to look for.
  const attachments = row.generation === 0 ? [] : await reader.rows<AttachmentTable>(openAttachments, [row.id]);
  return { volume: toVolume(row), attachments: attachments.map(toAttachment), lastOperation: toLastOperation(row) };
}

/** The volume alone; see {@link findVolumeDetail}. */
export async function findVolume(reader: Reader, reference: string): Promise<Volume | null> {
  const [row] = await reader.rows<JoinedRow>(isVolumeId(reference) ? byId : byName, [reference]);
  return row === undefined ? null : toVolume(row);
}

/** The volume that a request names. Throws `not_found`. */
export async function requireVolume(reader: Reader, reference: string): Promise<Volume> {
  const volume = await findVolume(reader, reference);
  if (volume === null) throw new HoldfastError('not_found', `There is no volume ${reference.slice(0, 200)}.`);
  return volume;
}

export interface VolumeFilter {
  readonly state?: VolumeState | undefined;
  readonly backend?: string | undefined;
  readonly name?: string | undefined;
  /** Only volumes with a higher id: oldest first. */
  readonly afterId?: string | undefined;
  readonly limit: number;
}

/** Volumes in the order of their making. Deleted ones are left out unless that state is asked for. */
export async function listVolumes(reader: Reader, filter: VolumeFilter): Promise<VolumeDetail[]> {
  const conditions: string[] = [];
  const values: (string | number)[] = [];
  const where = (condition: string, value: string) => {
    conditions.push(condition);
    values.push(value);
  };
  // The literal, not a parameter, lets both engines use the partial index of live volumes.
  if (filter.state === undefined) conditions.push(`v.state <> 'deleted'`);
  else where('v.state = ?', filter.state);
  if (filter.backend !== undefined) where('v.backend = ?', filter.backend);
  if (filter.name !== undefined) where('v.name = ?', filter.name);
  if (filter.afterId !== undefined) where('v.id > ?', filter.afterId);
  const statement = `${joined} where ${conditions.join(' and ')} order by v.id limit ?`;
  const rows = await reader.rows<JoinedRow>(statement, [...values, filter.limit]);
  return withAttachments(reader, rows);
}

/** Deleted volumes whose images can still be restored, those that expire first first. */
export async function listTrash(
  reader: Reader,
  page: { afterId?: string | undefined; limit: number },
): Promise<VolumeDetail[]> {
  const statement = `${joined} where v.trash_expires_at is not null and v.id > ? order by v.id limit ?`;
  const rows = await reader.rows<JoinedRow>(statement, [page.afterId ?? '', page.limit]);
  return withAttachments(reader, rows);
}

/** Volumes in the trash whose time is up. */
export async function listExpired(reader: Reader, nowMs: number, limit: number): Promise<Volume[]> {
  const statement = `select * from volumes where trash_expires_at <= ? order by trash_expires_at, id limit ?`;
  return (await reader.rows<VolumeTable>(statement, [nowMs, limit])).map(toVolume);
}

/** Snapshots of a volume that are not deleted, oldest first. */
export async function listSnapshots(reader: Reader, volumeId: string): Promise<Snapshot[]> {
  const rows = await volumeDb(reader)
    .selectFrom('snapshots')
    .selectAll()
    .where('volume_id', '=', volumeId)
    .where('state', '<>', 'deleted')
    .orderBy('id')
    .execute();
  return rows.map(toSnapshot);
}

export interface SnapshotFilter {
  readonly id?: string | undefined;
  readonly name?: string | undefined;
  readonly volumeId?: string | undefined;
  /** Only snapshots with a higher id: oldest first. */
  readonly afterId?: string | undefined;
  readonly limit: number;
}

/** Snapshots of every volume, in the order of their making. Deleted ones are left out, and those of deleted volumes. */
export async function listAllSnapshots(reader: Reader, filter: SnapshotFilter): Promise<Snapshot[]> {
  const { id, name, volumeId, afterId, limit } = filter;
  let query = volumeDb(reader)
    .selectFrom('snapshots')
    .innerJoin('volumes', 'volumes.id', 'snapshots.volume_id')
    .selectAll('snapshots')
    .where('snapshots.state', '<>', 'deleted')
    .where('volumes.state', '<>', 'deleted');
  if (id !== undefined) query = query.where('snapshots.id', '=', id);
  if (name !== undefined) query = query.where('snapshots.name', '=', name);
  if (volumeId !== undefined) query = query.where('snapshots.volume_id', '=', volumeId);
  if (afterId !== undefined) query = query.where('snapshots.id', '>', afterId);
  return (await query.orderBy('snapshots.id').limit(limit).execute()).map(toSnapshot);
}

/** A snapshot by id, or by name within a volume; `null` when there is none or it is deleted. */
export async function findSnapshot(reader: Reader, reference: string, volumeId?: string): Promise<Snapshot | null> {
  let query = volumeDb(reader).selectFrom('snapshots').selectAll().where('state', '<>', 'deleted');
  if (volumeId !== undefined) query = query.where('volume_id', '=', volumeId);
  query = reference.startsWith('snap-') ? query.where('id', '=', reference) : query.where('name', '=', reference);
  if (volumeId === undefined && !reference.startsWith('snap-')) return null;
  const row = await query.executeTakeFirst();
  return row === undefined ? null : toSnapshot(row);
}

async function withAttachments(reader: Reader, rows: readonly JoinedRow[]): Promise<VolumeDetail[]> {
  const attachedIds = rows.filter((row) => row.generation > 0).map((row) => row.id);
  const byVolume = new Map<string, Attachment[]>();
  if (attachedIds.length > 0) {
    const marks = attachedIds.map(() => '?').join(', ');
    const statement = `select * from attachments where state <> 'detached' and volume_id in (${marks}) order by generation`;
    for (const row of await reader.rows<AttachmentTable>(statement, attachedIds)) {
      byVolume.set(row.volume_id, [...(byVolume.get(row.volume_id) ?? []), toAttachment(row)]);
    }
  }
  return rows.map((row) => ({
    volume: toVolume(row),
    attachments: byVolume.get(row.id) ?? [],
    lastOperation: toLastOperation(row),
  }));
}

function toLastOperation(row: JoinedRow): LastOperation | null {
  if (row.last_operation_id === null || row.operation_kind === null) return null;
  return { id: row.last_operation_id, kind: row.operation_kind, status: row.operation_status! };
}

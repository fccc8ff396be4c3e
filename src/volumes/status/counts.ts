import { operationStatuses } from '../../kernel/operations/operation.ts';
import type { Reader } from '../../kernel/store/store.ts';

/** Ended operations are counted this far back. */
export const windowMs = 24 * 60 * 60_000;
/** The newest of them, so that a busy day costs no more than this. */
const endedMax = 100_000;
/** An operation that is open for longer is told as an issue. */
const staleMs = 30 * 60_000;

export interface OpenOperations {
  readonly pending: number;
  readonly executing: number;
  readonly stale: number;
  readonly oldestMs: number | null;
}

export interface OperationCounts {
  readonly byType: Readonly<Record<string, number>>;
  readonly byStatus: Readonly<Record<string, number>>;
  /** The sum of the times that completed ones took, in milliseconds. */
  readonly completedMs: number;
}

export interface VolumeCounts {
  readonly byState: Readonly<Record<string, number>>;
  readonly byBackend: Readonly<Record<string, number>>;
  readonly inTrash: number;
  readonly attachments: number;
}

// Counts and sums are text on one of the engines, so each is made a number.

const openStatement = `select status, count(*) as n, min(created_at) as oldest,
    sum(case when created_at < ? then 1 else 0 end) as stale
  from operations where status in ('pending', 'executing') group by status`;

/** Operations that have not ended, on every server. */
export async function countOpen(reader: Reader, nowMs: number): Promise<OpenOperations> {
  type Row = { status: string; n: number; oldest: number; stale: number };
  const rows = await reader.rows<Row>(openStatement, [nowMs - staleMs]);
  const of = (status: string) => Number(rows.find((row) => row.status === status)?.n ?? 0);
  return {
    pending: of('pending'),
    executing: of('executing'),
    stale: rows.reduce((sum, { stale }) => sum + Number(stale), 0),
    oldestMs: rows.length === 0 ? null : Math.min(...rows.map(({ oldest }) => Number(oldest))),
  };
}

// Each of the two has an index of its own: open operations by status, ended ones by the time of their end.
const openByType = `select kind, status, count(*) as n, 0 as took
  from operations where status in ('pending', 'executing') group by kind, status`;
const endedByType = `select kind, status, count(*) as n, sum(finished_at - created_at) as took from (
    select kind, status, created_at, finished_at from operations where finished_at is not null and finished_at >= ?
    order by finished_at desc limit ${endedMax}) newest
  group by kind, status`;

/** Operations that are open or ended within the window. */
export async function countOperations(reader: Reader, nowMs: number): Promise<OperationCounts> {
  type Row = { kind: string; status: string; n: number; took: number };
  const open = await reader.rows<Row>(openByType, []);
  const ended = await reader.rows<Row>(endedByType, [nowMs - windowMs]);
  const byType: Record<string, number> = {};
  const byStatus: Record<string, number> = Object.fromEntries(operationStatuses.map((status) => [status, 0]));
  let completedMs = 0;
  for (const { kind, status, n, took } of [...open, ...ended]) {
    byType[kind] = (byType[kind] ?? 0) + Number(n);
    byStatus[status] = (byStatus[status] ?? 0) + Number(n);
    if (status === 'completed') completedMs += Number(took);
  }
  return { byType, byStatus, completedMs };
}

/** Volumes that are not deleted, and what holds them. */
export async function countVolumes(reader: Reader): Promise<VolumeCounts> {
  type Row = { state: string; backend: string; n: number };
  const statement = `select state, backend, count(*) as n from volumes where state <> 'deleted' group by state, backend`;
  const rows = await reader.rows<Row>(statement, []);
  const [others] = await reader.rows<{ trash: number; attachments: number }>(
    `select (select count(*) from volumes where trash_expires_at is not null) as trash,
      (select count(*) from attachments where state <> 'detached') as attachments`,
    [],
  );
  const by = (key: 'state' | 'backend') => {
    const sums: Record<string, number> = {};
    for (const row of rows) sums[row[key]] = (sums[row[key]] ?? 0) + Number(row.n);
    return sums;
  };
  return {
    byState: by('state'),
    byBackend: by('backend'),
    inTrash: Number(others?.trash ?? 0),
    attachments: Number(others?.attachments ?? 0),
  };
}

import { appendEvent } from '../../../kernel/events/event.ts';
import type { Reader } from '../../../kernel/store/store.ts';
import { transaction } from '../../../kernel/store/transaction.ts';
import type { DrainRow } from '../../tables.ts';
import { lockBackend } from './lock-backend.ts';
import { booksOf, usesOf } from './queries.ts';

/** How far a drain is. */
export interface DrainProgress {
  readonly startedAtMs: number;
  /** When nothing was left there; `null` until then. */
  readonly completedAtMs: number | null;
  /** All that still stands there, with what waits for deletion. */
  readonly bytesLeft: bigint;
  /** Smoothed; `null` until it was measured twice. */
  readonly bytesPerSecond: number | null;
  /** At this rate; `null` while nothing moves. */
  readonly secondsLeft: number | null;
  /** Why contents have nowhere to go, with how many were found; of the first ones that stand there. */
  readonly blocked: readonly { readonly reason: string; readonly count: number }[];
}

/** How much a new measurement counts against those before it. */
const newShare = 0.3;
const looked = 2_000;
const reasonsMax = 10;

const blocked = `select s.last_error as reason, count(*) as count from
  (select content_id, part from copies where backend = ? order by storage_key limit ${looked}) c
  cross join shortfalls s where s.content_id = c.content_id and s.part = c.part and s.last_error is not null
  group by s.last_error order by count desc, reason limit ${reasonsMax}`;

/** Tells how far the drain of a backend is; `null` when it does not drain. */
export async function drainProgress(reader: Reader, name: string): Promise<DrainProgress | null> {
  const [row] = await reader.rows<DrainRow>('select * from backend_drains where backend = ?', [name]);
  if (row === undefined) return null;
  const { usedBytes: bytesLeft } = await booksOf(reader, name);
  const reasons = await reader.rows<{ reason: string; count: number | string }>(blocked, [name]);
  const rate = row.bytes_per_second;
  return {
    startedAtMs: row.started_at,
    completedAtMs: row.completed_at,
    bytesLeft,
    bytesPerSecond: rate,
    secondsLeft: rate === null || rate <= 0 ? null : Math.ceil(Number(bytesLeft) / rate),
    blocked: reasons.map(({ reason, count }) => ({ reason, count: Number(count) })),
  };
}

const measure = `update backend_drains set bytes_left = ?, bytes_per_second = ?, measured_at = ?, completed_at = ?
  where backend = ?`;

/**
 * Measures how far a drain is. When nothing is left it is complete, which is told once: no write can be admitted there any
 * more, so nothing comes back. Gives whether it completed now.
 */
export const measureDrain = transaction(
  import.meta.url,
  'measureDrain',
  async (tx, { backend, nowMs }: { readonly backend: string; readonly nowMs: number }): Promise<boolean> => {
    const state = (await lockBackend(tx, backend))?.state;
    if (state !== 'draining') return false;
    const enter = 'insert into backend_drains (backend, started_at) values (?, ?) on conflict (backend) do nothing';
    await tx.run(enter, [backend, nowMs]);
    const [row] = await tx.rows<DrainRow>('select * from backend_drains where backend = ?', [backend]);
    if (row!.completed_at !== null) return false;
    const bytesLeft = Number((await booksOf(tx, backend)).usedBytes);
    const { copies, intents, cleanup } = await usesOf(tx, backend);
    const isDone = copies.count + intents.count + cleanup.count === 0;
    await tx.run(measure, [bytesLeft, rateOf(row!, bytesLeft, nowMs), nowMs, isDone ? nowMs : null, backend]);
    if (!isDone) return false;
    await appendEvent(tx, {
      resource: `object-backend:${backend}`,
      type: 'drain.completed',
      data: { backend, took_ms: nowMs - row!.started_at },
      operationId: null,
      actor: 'gateway',
      createdAtMs: nowMs,
    });
    return true;
  },
);

function rateOf(row: DrainRow, bytesLeft: number, nowMs: number): number | null {
  const { bytes_left: before, measured_at: measuredAt, bytes_per_second: rate } = row;
  if (before === null || measuredAt === null || nowMs <= measuredAt) return rate;
  const now = (Math.max(0, before - bytesLeft) * 1_000) / (nowMs - measuredAt);
  return Math.round(rate === null ? now : rate + newShare * (now - rate));
}

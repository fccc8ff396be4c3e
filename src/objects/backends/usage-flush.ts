import type { Tx } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';

/** What was used of one backend, bucket or user in one month, beyond what was flushed before. */
export interface UsageRow {
  readonly place: string;
  /** UTC, such as `2026-11`. */
  readonly month: string;
  readonly requests: number;
  readonly ingressBytes: number;
  readonly egressBytes: number;
}

export interface UsageFlush {
  /** Who flushes: one accumulator of one process. */
  readonly flusher: string;
  /** Grows with each of its flushes; a repeated flush has the same number. */
  readonly seq: number;
  readonly nowMs: number;
  readonly rows: readonly UsageRow[];
}

/** Long after the last retry of any flush. */
const rememberedMs = 30 * 86_400_000;

const claim = `insert into usage_flushes (flusher, seq, flushed_at) values (?, ?, ?)
  on conflict (flusher) do update set seq = excluded.seq, flushed_at = excluded.flushed_at
  where usage_flushes.seq < excluded.seq`;
const add = `insert into backend_usage (backend, month, requests, ingress_bytes, egress_bytes) values (?, ?, ?, ?, ?)
  on conflict (backend, month) do update set
    requests = backend_usage.requests + excluded.requests,
    ingress_bytes = backend_usage.ingress_bytes + excluded.ingress_bytes,
    egress_bytes = backend_usage.egress_bytes + excluded.egress_bytes`;

/**
 * Adds to the books what one process counted. Repeating a flush whose answer was lost adds nothing: the store remembers
 * the number of each flusher's last one. Rows are changed in one order by everybody, so flushes never wait in a circle.
 */
export const flushUsage = transaction(import.meta.url, 'flushUsage', async (tx, flush: UsageFlush): Promise<void> =>
  addUsage(tx, flush, add),
);

/** The body of a flush: `statement` adds place, month, requests, ingress and egress to a row. */
export async function addUsage(tx: Tx, { flusher, seq, nowMs, rows }: UsageFlush, statement: string): Promise<void> {
  if ((await tx.run(claim, [flusher, seq, nowMs])) === 0) return;
  for (const row of rows.toSorted(byPlace)) {
    await tx.run(statement, [row.place, row.month, row.requests, row.ingressBytes, row.egressBytes]);
  }
  if (seq === 1) await tx.run('delete from usage_flushes where flushed_at < ?', [nowMs - rememberedMs]);
}

function byPlace(a: UsageRow, b: UsageRow): number {
  if (a.place !== b.place) return a.place < b.place ? -1 : 1;
  if (a.month !== b.month) return a.month < b.month ? -1 : 1;
  return 0;
}

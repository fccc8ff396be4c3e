import { setTimeout as delay } from 'node:timers/promises';
import { appendEvent } from '../../kernel/events/event.ts';
import type { Clock } from '../../kernel/ids.ts';
import type { Store } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import { type QuotaBook, type QuotaRow } from './quota.ts';
import { sumsOf } from './sums.ts';

export interface RecountQuota {
  readonly subject: string;
  readonly bookId: string;
  /** Whether the sums are exact from now on: nobody can be under way who has not seen the books. */
  readonly isFinal: boolean;
  readonly nowMs: number;
}

/**
 * Sets the books of a subject to what stands. This is exact beside writers:
 *
 * - It holds the row of the books, and then sums up in a statement of its own, which sees all that was committed before.
 * - A writer that committed before the sum is in it, and what it booked is overwritten by it.
 * - A writer that did not is not in it, and has not booked either: whoever has booked holds the row until its end, and this
 *   transaction has waited for that. It books on top of the sum.
 * - A writer that looked for the books before they were there does not book at all. Its rows were changed before it looked,
 *   so it is among the transactions that were in flight when the books were entered: {@link countBook} waits for those to
 *   end before the count that is final.
 *
 * Gives by how much the books were wrong; `null` when they are not these books any more. Drift of books that were exact is a
 * fault of ours, and told.
 */
export const recountQuota = transaction(
  import.meta.url,
  'recountQuota',
  async (
    tx,
    { subject, bookId, isFinal, nowMs }: RecountQuota,
  ): Promise<{ readonly bytes: number; readonly objects: number } | null> => {
    await tx.lock(`quota:${subject}`);
    const held = `select * from quota_books where subject = ? and book_id = ? ${tx.fragments.forUpdate}`;
    const [row] = await tx.rows<QuotaRow>(held, [subject, bookId]);
    if (row === undefined) return null;
    const { bytes, objects } = (await sumsOf(tx, subject))!;
    const set = `update quota_books set used_bytes = ?, used_objects = ?, counted_at = ? where subject = ?`;
    await tx.run(set, [bytes, objects, isFinal ? nowMs : row.counted_at, subject]);
    const drift = { bytes: row.used_bytes - bytes, objects: row.used_objects - objects };
    if (row.counted_at !== null && (drift.bytes !== 0 || drift.objects !== 0)) {
      await appendEvent(tx, {
        resource: `quota:${subject}`,
        type: 'quota.drift_mended',
        data: {
          subject,
          used_bytes: bytes,
          used_objects: objects,
          drift_bytes: drift.bytes,
          drift_objects: drift.objects,
        },
        operationId: null,
        actor: 'gateway',
        createdAtMs: nowMs,
      });
    }
    return drift;
  },
);

const pollMs = 20;

/**
 * Counts books that were entered just now. They hold at once, up to what was in flight; they are exact when this gives true,
 * and when it gives false somebody was in flight for longer than `patienceMs`, and it is to be called again.
 */
export async function countBook(
  store: Store,
  clock: Clock,
  { subject, bookId }: QuotaBook,
  patienceMs: number,
): Promise<boolean> {
  await store.write(recountQuota, { subject, bookId, isFinal: false, nowMs: clock.nowMs() });
  const untilMs = performance.now() + patienceMs;
  let { final: isFinal, watch } = await store.gapsAreFinal(null);
  while (!isFinal) {
    if (performance.now() > untilMs) return false;
    await delay(pollMs);
    ({ final: isFinal, watch } = await store.gapsAreFinal(watch));
  }
  await store.write(recountQuota, { subject, bookId, isFinal: true, nowMs: clock.nowMs() });
  return true;
}

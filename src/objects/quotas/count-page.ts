import { appendEvent } from '../../kernel/events/event.ts';
import type { Tx } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import type { QuotaRow } from './quota.ts';
import { type Place, pageEnd, pageSums } from './sums.ts';

/** How many rows are summed up in one transaction, which is a few milliseconds. */
export const pageRowsByDefault = 1_000;

export interface BeginCount {
  readonly subject: string;
  readonly bookId: string;
  /** Whether the sums will be exact: nobody can be under way who has not seen the books. */
  readonly isFinal: boolean;
}

const begin = `update quota_books set counting_bucket = ?, counting_key = '', counting_bytes = 0, counting_objects = 0,
  counting_final = ? where subject = ? and book_id = ? and (counting_bucket is null or counting_final < ?)`;

/** Begins to count what stands for a subject. A count that is under way goes on, unless it would not be exact and this one is. */
export const beginCount = transaction(
  import.meta.url,
  'beginCount',
  async (tx, { subject, bookId, isFinal }: BeginCount): Promise<void> => {
    const first = subject.startsWith('bucket:') ? subject.slice('bucket:'.length) : '';
    const final = isFinal ? 1 : 0;
    await tx.run(begin, [first, final, subject, bookId, final]);
  },
);

export interface CountPage {
  readonly subject: string;
  readonly bookId: string;
  readonly pageRows: number;
  readonly nowMs: number;
}

/** What became of a count: it goes on, or by how much the books were wrong; `null` when nothing is counted. */
export type Counted = 'going' | { readonly bytes: number; readonly objects: number } | null;

const held = 'select * from quota_books where subject = ? and book_id = ?';
const goOn = `update quota_books set counting_bucket = ?, counting_key = ?, counting_bytes = counting_bytes + ?,
  counting_objects = counting_objects + ? where subject = ?`;
const end = `update quota_books set used_bytes = ?, used_objects = ?, counted_at = ?, counting_bucket = null, counting_key = null
  where subject = ?`;

/**
 * Counts the next keys of a subject, and after the last ones sets its books to what stands. A count takes many transactions
 * and is exact beside writers all the same, since each of them has one place, the key that it changes, and the row of the
 * books says up to which key was counted:
 *
 * - A page holds the row, and then sums up in one statement, which sees all that was committed before.
 * - Who booked before the page holds or held the row as well, so that the page waited for its end: the page has it in its
 *   sum when its key is one of the page, and a later page will when its key is a later one.
 * - Who books after the page finds in the row whether its key was counted. Then it adds its change to the count too, as it
 *   was not in the page's sum; else a later page has it.
 * - A writer that looked for the books before they were there does not book at all. Its rows were changed before it looked,
 *   so it is among the transactions that were in flight when the books were entered, which a final count waits for first.
 *
 * Drift of books that were exact is a fault of ours, and told.
 */
export const countPage = transaction(
  import.meta.url,
  'countPage',
  async (tx, { subject, bookId, pageRows, nowMs }: CountPage): Promise<Counted> => {
    await tx.lock(`quota:${subject}`);
    const [row] = await tx.rows<QuotaRow>(`${held} ${tx.fragments.forUpdate}`, [subject, bookId]);
    if (row === undefined || row.counting_bucket === null) return null;
    const after: Place = { bucket: row.counting_bucket, key: row.counting_key ?? '' };
    const upTo = await pageEnd(tx, subject, after, pageRows);
    const { bytes, objects } = await pageSums(tx, subject, after, upTo);
    if (upTo !== null) {
      await tx.run(goOn, [upTo.bucket, upTo.key, bytes, objects, subject]);
      return 'going';
    }
    const stands = { bytes: row.counting_bytes + bytes, objects: row.counting_objects + objects };
    const countedAtMs = row.counting_final === 1 ? nowMs : row.counted_at;
    await tx.run(end, [stands.bytes, stands.objects, countedAtMs, subject]);
    const drift = { bytes: row.used_bytes - stands.bytes, objects: row.used_objects - stands.objects };
    if (row.counted_at !== null && (drift.bytes !== 0 || drift.objects !== 0)) {
      await noteDrift(tx, subject, stands, drift, nowMs);
    }
    return drift;
  },
);

interface Sums {
  readonly bytes: number;
  readonly objects: number;
}

async function noteDrift(tx: Tx, subject: string, stands: Sums, drift: Sums, nowMs: number): Promise<void> {
  await appendEvent(tx, {
    resource: `quota:${subject}`,
    type: 'quota.drift_mended',
    data: {
      subject,
      used_bytes: stands.bytes,
      used_objects: stands.objects,
      drift_bytes: drift.bytes,
      drift_objects: drift.objects,
    },
    operationId: null,
    actor: 'gateway',
    createdAtMs: nowMs,
  });
}

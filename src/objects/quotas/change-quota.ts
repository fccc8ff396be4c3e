import { HoldfastError } from '../../kernel/errors/errors.ts';
import { appendEvent } from '../../kernel/events/event.ts';
import type { Tx } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import { objectError } from '../errors.ts';
import { type GivenLimits, mergeLimits } from './limits.ts';
import { type QuotaBook, type QuotaRow, toBook } from './quota.ts';

/** How many subjects may have limits, so that all of them can be kept in memory. */
export const quotasMax = 10_000;

export interface SetQuota {
  readonly subject: string;
  /** Of the books, should there be none yet. */
  readonly bookId: string;
  readonly limits: GivenLimits;
  readonly actor: string;
  readonly nowMs: number;
}

const upsert = `insert into quota_books (subject, book_id, bytes_max, objects_max, month_requests_max, month_ingress_bytes_max,
    month_egress_bytes_max, used_bytes, used_objects, version, created_at) values (?, ?, ?, ?, ?, ?, ?, 0, 0, 1, ?)
  on conflict (subject) do update set bytes_max = excluded.bytes_max, objects_max = excluded.objects_max,
    month_requests_max = excluded.month_requests_max, month_ingress_bytes_max = excluded.month_ingress_bytes_max,
    month_egress_bytes_max = excluded.month_egress_bytes_max, version = quota_books.version + 1
  returning *`;

/**
 * Sets limits of a subject; those that are not given stay. Books that are new are not counted yet: see `recount.ts`. A limit
 * below what stands is taken: what stands stays, and nothing is added. Throws `NoSuchBucket`, `invalid`, and `overloaded` for
 * more quotas than there may be.
 */
export const setQuota = transaction(
  import.meta.url,
  'setQuota',
  async (tx, { subject, bookId, limits, actor, nowMs }: SetQuota): Promise<QuotaBook> => {
    // Deleting a bucket removes its limits: the two must not pass each other.
    await tx.lock(subject);
    await tx.lock(`quota:${subject}`);
    await requireSubject(tx, subject);
    const [known] = await tx.rows<QuotaRow>('select * from quota_books where subject = ?', [subject]);
    const merged = mergeLimits(known === undefined ? null : toBook(known).limits, limits);
    const { bytes, objects, month } = merged;
    const values = [subject, bookId, bytes, objects, month.requests, month.ingress, month.egress, nowMs];
    const [row] = await tx.rows<QuotaRow>(upsert, values);
    const [count] = await tx.rows<{ n: number | string }>('select count(*) as n from quota_books', []);
    if (Number(count!.n) > quotasMax) throw new HoldfastError('overloaded', `There are ${quotasMax} quotas already.`);
    await noteQuota(tx, subject, 'quota.set', { ...merged }, { actor, nowMs });
    return toBook(row!);
  },
);

async function requireSubject(tx: Tx, subject: string): Promise<void> {
  if (!subject.startsWith('bucket:')) return;
  const bucket = subject.slice('bucket:'.length);
  const rows = await tx.rows('select 1 from buckets where name = ?', [bucket]);
  if (rows.length === 0) throw objectError('NoSuchBucket', { bucket });
}

/** Takes all limits of a subject away. Gives whether there were any. */
export const removeQuota = transaction(
  import.meta.url,
  'removeQuota',
  async (
    tx,
    { subject, actor, nowMs }: { readonly subject: string; readonly actor: string; readonly nowMs: number },
  ): Promise<boolean> => {
    await tx.lock(`quota:${subject}`);
    if (!(await dropBook(tx, subject))) return false;
    await noteQuota(tx, subject, 'quota.removed', {}, { actor, nowMs });
    return true;
  },
);

/** Removes books, in the transaction that ends their subject as well. Gives whether there were any. */
export async function dropBook(tx: Tx, subject: string): Promise<boolean> {
  return (await tx.run('delete from quota_books where subject = ?', [subject])) === 1;
}

/** Writes what happened to the limits of a subject, which is locked in this transaction. */
export async function noteQuota(
  tx: Tx,
  subject: string,
  type: 'quota.set' | 'quota.removed',
  data: Readonly<Record<string, unknown>>,
  { actor, nowMs }: { readonly actor: string; readonly nowMs: number },
): Promise<void> {
  await appendEvent(tx, {
    resource: `quota:${subject}`,
    type,
    data: { subject, ...data },
    operationId: null,
    actor,
    createdAtMs: nowMs,
  });
}

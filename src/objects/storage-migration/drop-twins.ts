import { transaction } from '../../kernel/store/transaction.ts';
import { dropCopy } from '../ledger/shortfalls.ts';
import { wantedCopies } from '../ledger/wanted-copies.ts';

export interface DropTwins {
  /** Where copies are let go, and where their twins stand that stay. */
  readonly backend: string;
  readonly twin: string;
  /** Only those that came to stand there since. */
  readonly sinceMs: number;
  /** Only those whose twins came to stand there since: they were verified when they were written. */
  readonly twinSinceMs: number;
  readonly after: string;
  readonly limit: number;
  readonly nowMs: number;
}

const page = `select c.content_id, c.part, c.storage_key from copies c where c.backend = ? and c.storage_key > ?
  and c.created_at >= ? and exists (select 1 from copies t where t.content_id = c.content_id and t.part = c.part
    and t.backend = ? and t.created_at >= ?) order by c.storage_key limit ?`;

interface Row {
  readonly content_id: string;
  readonly part: number;
  readonly storage_key: string;
}

/**
 * Lets go of copies whose twins are enough for their buckets; the others stay, for the replicator to see to: it reads what
 * is to stay in their place. Gives where to go on, `null` at the end, and how many went.
 */
export const dropTwins = transaction(
  import.meta.url,
  'dropTwins',
  async (tx, wish: DropTwins): Promise<{ readonly next: string | null; readonly dropped: number }> => {
    const { backend, twin, sinceMs, twinSinceMs, after, limit, nowMs } = wish;
    const rows = await tx.rows<Row>(page, [backend, after, sinceMs, twin, twinSinceMs, limit]);
    let dropped = 0;
    for (const { content_id: contentId, part } of rows.toSorted((a, b) => (a.content_id < b.content_id ? -1 : 1))) {
      const remaining = (await wantedCopies(tx, contentId)) ?? 0;
      if (await dropCopy.body(tx, { contentId, part, backend, remaining, nowMs })) dropped++;
    }
    return { next: rows.length < limit ? null : rows.at(-1)!.storage_key, dropped };
  },
);

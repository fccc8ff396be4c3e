import type { Reader } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import { dropCopy } from '../ledger/shortfalls.ts';
import { wantedCopies } from '../ledger/wanted-copies.ts';
import type { CopyRow } from '../tables.ts';
import type { StorageMigration } from './storage-migration.ts';

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

const page = `select c.* from copies c where c.backend = ? and c.storage_key > ?
  and c.created_at >= ? and exists (select 1 from copies t where t.content_id = c.content_id and t.part = c.part
    and t.backend = ? and t.created_at >= ?) order by c.storage_key limit ?`;

/** Where twins are let go: on the source when it is switched, on the target when it is cancelled. */
export function twinPlaces(
  migration: StorageMigration,
): Pick<DropTwins, 'backend' | 'twin' | 'sinceMs' | 'twinSinceMs'> {
  const { source, target, state, createdAtMs } = migration;
  return state === 'cleaning'
    ? { backend: source, twin: target, sinceMs: 0, twinSinceMs: createdAtMs }
    : { backend: target, twin: source, sinceMs: createdAtMs, twinSinceMs: 0 };
}

/** Copies that have a twin, the next ones in order of their storage keys. */
export function nextTwins(
  reader: Pick<Reader, 'rows'>,
  { backend, twin, sinceMs, twinSinceMs, after, limit }: Omit<DropTwins, 'nowMs'>,
): Promise<CopyRow[]> {
  return reader.rows<CopyRow>(page, [backend, after, sinceMs, twin, twinSinceMs, limit]);
}

/**
 * Lets go of copies whose twins are enough for their buckets; the others stay, for the replicator to see to: it reads what
 * is to stay in their place. Gives where to go on, `null` at the end, and how many went.
 */
export const dropTwins = transaction(
  import.meta.url,
  'dropTwins',
  async (tx, wish: DropTwins): Promise<{ readonly next: string | null; readonly dropped: number }> => {
    const { backend, limit, nowMs } = wish;
    const rows = await nextTwins(tx, wish);
    let dropped = 0;
    for (const { content_id: contentId, part } of rows.toSorted((a, b) => (a.content_id < b.content_id ? -1 : 1))) {
      const remaining = (await wantedCopies(tx, contentId)) ?? 0;
      if (await dropCopy.body(tx, { contentId, part, backend, remaining, nowMs })) dropped++;
    }
    return { next: rows.length < limit ? null : rows.at(-1)!.storage_key, dropped };
  },
);

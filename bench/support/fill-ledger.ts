import { transaction } from '../../src/kernel/store/transaction.ts';
import type { Store } from '../../src/kernel/store/store.ts';
import { createBucket } from '../../src/objects/ledger/change-bucket.ts';

/** What is entered: versions of 4 KiB in ten buckets, each with a copy on the first two backends. */
export interface LedgerFill {
  /** A multiple of ten. */
  readonly versions: number;
  /** Of the first bucket, as its XML text. */
  readonly lifecycle: string;
  readonly nowMs: number;
}

export const filledSizeBytes = 4_096;
/** With a description behind it. */
export const filledStoredBytes = 4_400;
export const filledOwner = 'bench';
export const filledBuckets = 10;
const perTransaction = 50_000;
const copiesEach = 2;

// As text of one length, so that the order of keys is that of numbers on every store.
const digits = (value: string) => `substr(cast(1000000000 + ${value} as text), 2)`;
const numbers = 'with recursive n(i) as (select cast(? as integer) union all select i + 1 from n where i + 1 < ?)';
const bucketOf = `'b' || (i % ${filledBuckets})`;
const attributes = JSON.stringify({ contentType: 'text/plain', headers: {}, metadata: {}, checksums: [] });

const versions = `insert into objects (bucket, object_key, version_id, seq, is_latest, is_marker, content_id, size_bytes, etag,
  attributes, owner, modified_at) ${numbers} select ${bucketOf}, 'k' || ${digits('i')}, 'null', 1, 1, 0, 'c-' || ${digits('i')},
  ${filledSizeBytes}, ${digits('i')}, '${attributes}', '${filledOwner}', ? from n`;
const copies = `insert into copies (content_id, part, backend, storage_key, size_bytes, stored_bytes, crc32, created_at)
  ${numbers} select 'c-' || ${digits('i')}, 1, b.name, ${bucketOf} || '/w-' || ${digits('i')}, ${filledSizeBytes},
  ${filledStoredBytes}, 0, ? from n cross join object_backends b where b.position <= ${copiesEach}`;
const books = `insert into backend_stripes (backend, stripe, used_bytes)
  select name, 0, ? from object_backends where position <= ${copiesEach}
  on conflict (backend, stripe) do update set used_bytes = excluded.used_bytes`;
const quota = `insert into quota_books (subject, book_id, bytes_max, objects_max, used_bytes, used_objects, version,
  counted_at, created_at) values (?, ?, ?, ?, ?, ?, 1, ?, ?)`;

interface Batch {
  readonly from: number;
  readonly to: number;
  readonly nowMs: number;
}

/** The storage key of the version with a number, on every backend. */
export function filledStorageKey(index: number): string {
  return `b${index % filledBuckets}/w-${String(1_000_000_000 + index).slice(1)}`;
}

/** Enters so many versions with their copies. Exported because a transaction is found by its name. */
export const fillBatch = transaction(
  import.meta.url,
  'fillBatch',
  async (tx, { from, to, nowMs }: Batch): Promise<void> => {
    await tx.run(versions, [from, to, nowMs]);
    await tx.run(copies, [from, to, nowMs]);
  },
);

/** Enters what the books say of all that, and quotas that were last counted a while ago. */
export const fillBooks = transaction(
  import.meta.url,
  'fillBooks',
  async (tx, { versions: count, nowMs }: Omit<LedgerFill, 'lifecycle'>): Promise<void> => {
    await tx.run(books, [count * filledStoredBytes]);
    const ofFirst = count / filledBuckets;
    const subjects: (readonly [string, number])[] = [
      ['bucket:b0', ofFirst],
      [`user:${filledOwner}`, count],
    ];
    for (const [subject, objects] of subjects) {
      const bytes = objects * filledSizeBytes;
      await tx.run(quota, [subject, subject, 10 * bytes, 10 * objects, bytes, objects, nowMs - 7_200_000, nowMs]);
    }
  },
);

/** Fills the ledger alone: of the bytes there is nothing. The backends must have been entered, at positions from 1 on. */
export async function fillLedger(store: Store, fill: LedgerFill): Promise<void> {
  const { versions: count, lifecycle, nowMs } = fill;
  for (let index = 0; index < filledBuckets; index++) {
    const settings = { copies: copiesEach, ...(index === 0 ? { lifecycle } : {}) };
    await store.write(createBucket, { name: `b${index}`, settings, actor: filledOwner, nowMs });
  }
  for (let from = 0; from < count; from += perTransaction) {
    await store.write(fillBatch, { from, to: Math.min(count, from + perTransaction), nowMs });
  }
  await store.write(fillBooks, { versions: count, nowMs });
}

import { standardClass } from '../storage-class.ts';
import { bucketSubject, userSubject } from '../quotas/quota.ts';
import type { Tx } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import { noteShortfall } from '../ledger/copies.ts';
import { dispose } from '../ledger/dispose.ts';
import { requireBucketRow } from '../ledger/find.ts';
import { lockKey } from '../ledger/place-version.ts';
import { type ByteDelta, bookBytes } from '../ledger/stripes.ts';
import { markTaken } from './stage.ts';
import type { BucketRow, CopyRow, ObjectRow, PartRow, UploadRow } from '../tables.ts';

export interface RestoreKey {
  readonly bucket: string;
  readonly key: string;
  readonly versions: readonly ObjectRow[];
  /** Uploads under way, or completed when no backup could tell it. */
  readonly uploads: readonly UploadRow[];
  readonly parts: readonly PartRow[];
  /** At most one a part and backend. */
  readonly copies: readonly CopyRow[];
  readonly nowMs: number;
}

/** A class that this server does not have is nobody's: what takes its place is the second parameter. */
const knownClass = `coalesce((select name from storage_classes where name = ?), ?)`;
const insertBucket = `insert into buckets (name, owner, settings, version, created_at) values (?, ?, ?, ?, ?)
  on conflict (name) do nothing`;

/** Enters a bucket as it was told, unless there is one. Gives whether it did. */
export const restoreBucket = transaction(
  import.meta.url,
  'restoreBucket',
  async (tx, row: BucketRow): Promise<boolean> => {
    const values = [row.name, row.owner, row.settings, row.version, row.created_at];
    return (await tx.run(insertBucket, values)) > 0;
  },
);

/**
 * Enters all that was found of a key, with its bytes on the books. Gives how many copies were entered; `null` when the key
 * has any version already: it is left as it is.
 */
export const restoreKey = transaction(
  import.meta.url,
  'restoreKey',
  async (tx, given: RestoreKey): Promise<number | null> => {
    const { bucket, key, versions, uploads } = given;
    await lockKey(tx, bucket, key);
    const { copies: wanted } = await requireBucketRow(tx, bucket);
    const any = 'select 1 from objects where bucket = ? and object_key = ? limit 1';
    if ((await tx.rows(any, [bucket, key])).length > 0) return null;
    for (const id of new Set(given.copies.map((row) => row.content_id).sort())) await tx.lock(`content:${id}`);
    for (const row of uploads) await insertUpload(tx, row);
    for (const row of versions) await insertVersion(tx, row);
    for (const row of given.parts) await insertPart(tx, row);
    const booked: ByteDelta[] = [];
    for (const row of given.copies) {
      if (await insertCopy(tx, row)) {
        booked.push({ backend: row.backend, storageKey: row.storage_key, bytes: row.stored_bytes });
      }
    }
    await markTaken(tx, given.copies);
    await oweCopies(tx, given, wanted);
    await bookBytes(tx, booked);
    await recountQuotas(tx, [bucketSubject(bucket), ...versions.map(({ owner }) => userSubject(owner))]);
    return booked.length;
  },
);

/** What was stored once is entered whatever the limits say now; the books are counted anew instead, from the start. */
async function recountQuotas(tx: Tx, subjects: readonly string[]): Promise<void> {
  for (const subject of [...new Set(subjects)].sort()) {
    await tx.run('update quota_books set counted_at = null, counting_bucket = null where subject = ?', [subject]);
  }
}

/** Parts with fewer copies than the bucket wants; copies of what another key shares count, too. */
async function oweCopies(tx: Tx, { copies, bucket, nowMs }: RestoreKey, wanted: number): Promise<void> {
  const counts = new Map<string, { contentId: string; part: number; n: number }>();
  for (const { content_id: contentId, part } of copies) {
    const known = counts.get(`${contentId} ${part}`) ?? { contentId, part, n: 0 };
    counts.set(`${contentId} ${part}`, { ...known, n: known.n + 1 });
  }
  for (const { n, ...part } of counts.values()) if (n < wanted) await noteShortfall(tx, part, bucket, nowMs);
}

async function insertVersion(tx: Tx, row: ObjectRow): Promise<void> {
  await tx.run(
    `insert into objects (bucket, object_key, version_id, seq, is_latest, is_marker, content_id, size_bytes, etag, attributes,
       tags, lock_state, owner, modified_at, noncurrent_at, storage_class)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ${knownClass})`,
    [
      row.bucket,
      row.object_key,
      row.version_id,
      row.seq,
      row.is_latest,
      row.is_marker,
      row.content_id,
      row.size_bytes,
      row.etag,
      row.attributes,
      row.tags,
      row.lock_state,
      row.owner,
      row.modified_at,
      row.noncurrent_at,
      row.storage_class ?? standardClass,
      standardClass,
    ],
  );
}

async function insertUpload(tx: Tx, row: UploadRow): Promise<void> {
  await tx.run(
    `insert into uploads (upload_id, bucket, object_key, owner, state, attributes, tags, lock_state, checksum, created_at,
       storage_class) values (?, ?, ?, ?, 'open', ?, ?, ?, null, ?, ${knownClass}) on conflict (upload_id) do nothing`,
    [
      row.upload_id,
      row.bucket,
      row.object_key,
      row.owner,
      row.attributes,
      row.tags,
      row.lock_state,
      row.created_at,
      row.storage_class,
      standardClass,
    ],
  );
}

async function insertPart(tx: Tx, row: PartRow): Promise<void> {
  await tx.run(
    `insert into object_parts (content_id, part, size_bytes, etag, crc32, checksums, modified_at)
       values (?, ?, ?, ?, ?, ?, ?) on conflict (content_id, part) do nothing`,
    [row.content_id, row.part, row.size_bytes, row.etag, row.crc32, row.checksums, row.modified_at],
  );
}

async function insertCopy(tx: Tx, row: CopyRow): Promise<boolean> {
  const { content_id: content, part, backend, storage_key: key, size_bytes: size, stored_bytes: stored } = row;
  const inserted = await tx.run(
    `insert into copies (content_id, part, backend, storage_key, size_bytes, stored_bytes, crc32, created_at, form, verified_at)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing`,
    [content, part, backend, key, size, stored, row.crc32, row.created_at, row.form, row.verified_at],
  );
  return inserted > 0;
}

const owned = `select 1 from (select storage_key from copies where backend = ? and storage_key = ?
  union all select storage_key from intents where backend = ? and storage_key = ?
  union all select storage_key from cleanup where backend = ? and storage_key = ?) owners limit 1`;

export interface Superseded {
  readonly rows: readonly CopyRow[];
  readonly nowMs: number;
}

/** Queues bytes that no version needs for deletion, and books them until they are gone. */
export const disposeSuperseded = transaction(
  import.meta.url,
  'disposeSuperseded',
  async (tx, { rows, nowMs }: Superseded): Promise<void> => {
    const booked: ByteDelta[] = [];
    for (const { backend, storage_key: storageKey, stored_bytes: storedBytes } of rows) {
      const place = [backend, storageKey];
      if ((await tx.rows(owned, [...place, ...place, ...place])).length > 0) continue;
      await dispose(tx, [{ backend, storageKey, storedBytes, reason: 'deleted', isUncertain: false }], nowMs);
      booked.push({ backend, storageKey, bytes: storedBytes });
    }
    await bookBytes(tx, booked);
  },
);

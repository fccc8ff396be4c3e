import { transaction } from '../../kernel/store/transaction.ts';
import { isOwned } from '../checking/compare.ts';
import type { ObjectRow } from '../tables.ts';
import { noteShortfall } from './copies.ts';
import { requireBucketRow } from './find.ts';
import { lockKey, placeVersion } from './place-version.ts';
import { bookBytes } from './stripes.ts';

export interface ImportBlob {
  readonly backend: string;
  readonly storageKey: string;
  readonly sizeBytes: number;
  /** Digests of what was read. */
  readonly crc32: number;
  readonly md5: string;
  readonly bucket: string;
  readonly key: string;
  readonly contentId: string;
  readonly versionId: string;
  readonly owner: string;
  readonly contentType: string;
  readonly nowMs: number;
}

const insert = `insert into copies (content_id, part, backend, storage_key, size_bytes, stored_bytes, crc32, created_at, verified_at)
  values (?, 1, ?, ?, ?, ?, ?, ?, ?)`;

/**
 * Makes an object of a blob that somebody else put on a backend: it stays where it stands. Gives whether it did: a key that
 * has any version, delete markers included, and bytes that have an owner, queued deletions included, are left alone. Throws
 * `NoSuchBucket`.
 */
export const importBlob = transaction(import.meta.url, 'importBlob', async (tx, blob: ImportBlob): Promise<boolean> => {
  const { backend, storageKey, sizeBytes, bucket, key, contentId, contentType, nowMs } = blob;
  await lockKey(tx, bucket, key);
  const { copies } = await requireBucketRow(tx, bucket);
  const any = 'select 1 from objects where bucket = ? and object_key = ? limit 1';
  if ((await tx.rows<ObjectRow>(any, [bucket, key])).length > 0) return false;
  if (await isOwned(tx, backend, storageKey)) return false;
  const attributes = { contentType, headers: {}, metadata: {}, checksums: [] };
  const content = { contentId, sizeBytes, etag: blob.md5, attributes, tags: {}, lock: null };
  const detail = { backend, storage_key: storageKey };
  await placeVersion(
    tx,
    { bucket, key, versionId: blob.versionId, ...content, actor: blob.owner, cause: 'import', nowMs, detail },
    {},
  );
  await tx.run(insert, [contentId, backend, storageKey, sizeBytes, sizeBytes, blob.crc32, nowMs, nowMs]);
  await bookBytes(tx, [{ backend, storageKey, bytes: sizeBytes }]);
  if (copies > 1) await noteShortfall(tx, { contentId, part: 1 }, bucket, nowMs);
  return true;
});

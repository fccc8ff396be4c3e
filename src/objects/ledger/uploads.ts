import type { Reader, Tx } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import { objectError } from '../errors.ts';
import type { ContentPart, Upload } from '../object.ts';
import { lockColumn, tagsColumn } from '../rows.ts';
import { chargeQuota } from '../quotas/charge.ts';
import { standardClass } from '../storage-class.ts';
import type { CopyRow, PartRow, UploadRow } from '../tables.ts';
import { type WrittenPart, enterCopies } from './copies.ts';
import { dispose, disposalOf } from './dispose.ts';
import { requireBucketRow } from './find.ts';
import type { WriteEnd } from './intents.ts';
import { keepingReferences } from './references.ts';

const insertUpload = `insert into uploads (upload_id, bucket, object_key, owner, state, attributes, tags, lock_state, checksum,
  created_at, storage_class) values (?, ?, ?, ?, 'open', ?, ?, ?, ?, ?, ?)`;

/** Begins a multipart upload. Throws `NoSuchBucket`. */
export const createUpload = transaction(import.meta.url, 'createUpload', async (tx, upload: Upload): Promise<void> => {
  await requireBucketRow(tx, upload.bucket);
  const values = [
    upload.uploadId,
    upload.bucket,
    upload.key,
    upload.owner,
    JSON.stringify(upload.attributes),
    tagsColumn(upload.tags),
    lockColumn(upload.lock),
    upload.checksum === null ? null : JSON.stringify(upload.checksum),
    upload.createdAtMs,
    upload.storageClass ?? standardClass,
  ];
  await keepingReferences(tx.run(insertUpload, values), () => objectError('NoSuchBucket', { bucket: upload.bucket }));
});

export interface CommitPart {
  readonly uploadId: string;
  readonly bucket: string;
  readonly written: WrittenPart;
  readonly write: WriteEnd;
  readonly copiesWanted: number;
  readonly part: ContentPart;
}

const upsertPart = `insert into object_parts (content_id, part, size_bytes, etag, crc32, checksums, modified_at)
  values (?, ?, ?, ?, ?, ?, ?) on conflict (content_id, part) do update set size_bytes = excluded.size_bytes,
  etag = excluded.etag, crc32 = excluded.crc32, checksums = excluded.checksums, modified_at = excluded.modified_at`;

/** Commits a part; one that was uploaded before under its number is displaced. Throws `NoSuchUpload`, `QuotaExceeded`. */
export const commitPart = transaction(import.meta.url, 'commitPart', async (tx, commit: CommitPart): Promise<void> => {
  const { uploadId, bucket, written, write, copiesWanted, part } = commit;
  const nowMs = part.modifiedAtMs;
  const { owner, object_key: key } = await requireOpenUpload(tx, uploadId);
  const displacedBytes = await displacePart(tx, written.contentId, written.part, nowMs);
  await enterCopies(tx, written, write, { bucket, copiesWanted, nowMs });
  await tx.run(upsertPart, [
    written.contentId,
    part.part,
    part.sizeBytes,
    part.etag,
    part.crc32,
    JSON.stringify(part.checksums),
    nowMs,
  ]);
  await chargeQuota(tx, [{ bucket, key, owner, bytes: part.sizeBytes - displacedBytes, objects: 0 }]);
});

/** The row of an open upload, locked. Throws `NoSuchUpload`. */
export async function requireOpenUpload(tx: Tx, uploadId: string): Promise<UploadRow> {
  await tx.lock(`content:${uploadId}`);
  const [row] = await tx.rows<UploadRow>(`select * from uploads where upload_id = ? and state = 'open'`, [uploadId]);
  if (row === undefined) throw objectError('NoSuchUpload', { upload_id: uploadId });
  return row;
}

/** Gives how many bytes the part had, which stays on record until the new one takes its place. */
async function displacePart(tx: Tx, contentId: string, part: number, nowMs: number): Promise<number> {
  const [standing] = await tx.rows<Pick<PartRow, 'size_bytes'>>(
    'select size_bytes from object_parts where content_id = ? and part = ?',
    [contentId, part],
  );
  if (standing === undefined) return 0;
  const rows = await tx.rows<CopyRow>('delete from copies where content_id = ? and part = ? returning *', [
    contentId,
    part,
  ]);
  await tx.run('delete from shortfalls where content_id = ? and part = ?', [contentId, part]);
  await dispose(
    tx,
    rows.map((row) => disposalOf(row, 'overwritten')),
    nowMs,
  );
  return standing.size_bytes;
}

export interface AbortUpload {
  readonly uploadId: string;
  /** Only when no part of it came at this time or later. */
  readonly idleSinceMs?: number;
  readonly nowMs: number;
}

/** Gives an upload up with all its parts. Gives whether it did. Throws `NoSuchUpload`, also when it was completed. */
export const abortUpload = transaction(
  import.meta.url,
  'abortUpload',
  async (tx, { uploadId, idleSinceMs, nowMs }: AbortUpload): Promise<boolean> => {
    const { bucket, owner, object_key: key } = await requireOpenUpload(tx, uploadId);
    if (idleSinceMs !== undefined) {
      const recent = 'select 1 from object_parts where content_id = ? and modified_at >= ? limit 1';
      if ((await tx.rows(recent, [uploadId, idleSinceMs])).length > 0) return false;
    }
    const rows = await tx.rows<CopyRow>('delete from copies where content_id = ? returning *', [uploadId]);
    const parts = await tx.rows<Pick<PartRow, 'size_bytes'>>(
      'delete from object_parts where content_id = ? returning size_bytes',
      [uploadId],
    );
    await tx.run('delete from shortfalls where content_id = ?', [uploadId]);
    await tx.run('delete from uploads where upload_id = ?', [uploadId]);
    await dispose(
      tx,
      rows.map((row) => disposalOf(row, 'aborted upload')),
      nowMs,
    );
    const partBytes = parts.reduce((sum, part) => sum + part.size_bytes, 0);
    await chargeQuota(tx, [{ bucket, key, owner, bytes: -partBytes, objects: 0 }]);
    return true;
  },
);

const remembered = `select upload_id from uploads where finished_at is not null and finished_at < ? order by finished_at limit ?`;
const forget = `delete from uploads where upload_id in (${remembered})`;

/** Ids of uploads that were completed before a time, the oldest first. */
export async function forgettableUploads(
  reader: Reader,
  { finishedBeforeMs, limit }: { readonly finishedBeforeMs: number; readonly limit: number },
): Promise<string[]> {
  const rows = await reader.rows<Pick<UploadRow, 'upload_id'>>(remembered, [finishedBeforeMs, limit]);
  return rows.map(({ upload_id: uploadId }) => uploadId);
}

/** Forgets uploads that were completed before a time. Their objects stay as they are. Gives how many. */
export const forgetUploads = transaction(
  import.meta.url,
  'forgetUploads',
  async (tx, { finishedBeforeMs, limit }: { readonly finishedBeforeMs: number; readonly limit: number }) =>
    tx.run(forget, [finishedBeforeMs, limit]),
  () => true,
);

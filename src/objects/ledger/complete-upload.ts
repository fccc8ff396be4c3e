import type { Tx } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import type { Conditions } from '../conditions.ts';
import { objectError } from '../errors.ts';
import type { ObjectAttributes, ObjectVersion } from '../object.ts';
import { toUpload } from '../rows.ts';
import type { CopyRow, PartRow, UploadRow } from '../tables.ts';
import { dispose, disposalOf } from './dispose.ts';
import { lockKey, placeVersion } from './place-version.ts';

export interface CompleteUpload {
  readonly uploadId: string;
  readonly bucket: string;
  readonly key: string;
  /** The parts of the object in order, each as it was read: refused when one was uploaded again in between. */
  readonly parts: readonly { readonly part: number; readonly etag: string }[];
  readonly versionId: string;
  readonly sizeBytes: number;
  readonly etag: string;
  readonly attributes: ObjectAttributes;
  readonly conditions: Conditions;
  readonly actor: string;
  readonly nowMs: number;
}

/**
 * Makes an object of the parts of an upload. No byte moves: the content of the object is the parts where they stand.
 * Parts that are not listed are queued for deletion. A repeated call gives the first answer.
 */
export const completeUpload = transaction(
  import.meta.url,
  'completeUpload',
  async (tx, request: CompleteUpload): Promise<ObjectVersion> => {
    const { uploadId, bucket, key, nowMs, conditions } = request;
    await lockKey(tx, bucket, key);
    await tx.lock(`content:${uploadId}`);
    const [row] = await tx.rows<UploadRow>('select * from uploads where upload_id = ?', [uploadId]);
    if (row === undefined) throw objectError('NoSuchUpload', { upload_id: uploadId });
    if (row.result !== null) return JSON.parse(row.result) as ObjectVersion;
    const partBytes = await keepParts(tx, request);
    const { tags, lock, storageClass } = toUpload(row);
    const { versionId, sizeBytes, etag, attributes, actor } = request;
    const version = {
      bucket,
      key,
      versionId,
      contentId: uploadId,
      sizeBytes,
      etag,
      attributes,
      tags,
      lock,
      storageClass,
      cause: 'complete' as const,
      actor,
      nowMs,
    };
    // The parts were booked as they came: now they are the object, or go.
    const freed = [{ bucket, key: row.object_key, owner: row.owner, bytes: -partBytes, objects: 0 }];
    const placed = await placeVersion(tx, version, conditions, freed);
    await tx.run(`update uploads set state = 'completed', result = ?, finished_at = ? where upload_id = ?`, [
      JSON.stringify(placed),
      nowMs,
      uploadId,
    ]);
    return placed;
  },
);

/** Compares the listed parts with what stands, and lets go of the others. Gives how many bytes stood. */
async function keepParts(tx: Tx, { uploadId, parts, nowMs }: CompleteUpload): Promise<number> {
  const standing = await tx.rows<PartRow>('select * from object_parts where content_id = ?', [uploadId]);
  const wanted = new Map(parts.map(({ part, etag }) => [part, etag]));
  let found = 0;
  for (const { part, etag } of standing) {
    if (wanted.get(part) === etag) {
      found++;
      continue;
    }
    if (wanted.has(part)) throw objectError('InvalidPart', { part_number: part });
    const rows = await tx.rows<CopyRow>('delete from copies where content_id = ? and part = ? returning *', [
      uploadId,
      part,
    ]);
    await tx.run('delete from object_parts where content_id = ? and part = ?', [uploadId, part]);
    await tx.run('delete from shortfalls where content_id = ? and part = ?', [uploadId, part]);
    await dispose(
      tx,
      rows.map((row) => disposalOf(row, 'aborted upload')),
      nowMs,
    );
  }
  if (found !== wanted.size) throw objectError('InvalidPart');
  return standing.reduce((sum, part) => sum + part.size_bytes, 0);
}

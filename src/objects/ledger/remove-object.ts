import type { Tx } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import type { BucketSettings } from '../bucket.ts';
import { type Conditions, requireWritable } from '../conditions.ts';
import { objectError } from '../errors.ts';
import type { Removal } from '../gateway.ts';
import type { ObjectLock, RemovalCause } from '../object.ts';
import { chargeQuota, refundOf } from '../quotas/charge.ts';
import { toVersion } from '../rows.ts';
import type { ObjectRow } from '../tables.ts';
import { releaseContent } from './dispose.ts';
import { noteObject } from './events.ts';
import { findVersionRow, requireBucketRow } from './find.ts';
import { lockKey, placeVersion } from './place-version.ts';

export interface RemoveObject {
  readonly bucket: string;
  readonly key: string;
  readonly versionId?: string | undefined;
  /** The id of the delete marker, should one be made. */
  readonly markerId: string;
  readonly conditions: Conditions;
  readonly bypassGovernance: boolean;
  /** A request, unless it is said. */
  readonly cause?: RemovalCause;
  readonly actor: string;
  readonly nowMs: number;
  /** What the event tells besides, such as the rule that asked for it. */
  readonly detail?: Readonly<Record<string, unknown>>;
}

/**
 * Deletes a version for good, or, without a version, what stands under the key: where the bucket keeps versions a delete
 * marker hides it. Metadata goes first, bytes follow. What is not there is deleted already.
 */
export const removeObject = transaction(
  import.meta.url,
  'removeObject',
  async (tx, request: RemoveObject): Promise<Removal> => {
    const { bucket, key, versionId, conditions } = request;
    await lockKey(tx, bucket, key);
    const settings = await requireBucketRow(tx, bucket);
    if (versionId === undefined && settings.versioning !== 'off') return placeMarker(tx, request, settings);
    const row = await findVersionRow(tx, bucket, key, versionId ?? 'null');
    const standing = row === null || row.is_marker === 1 ? null : row;
    requireWritable(conditions, standing && { etag: standing.etag, modifiedAtMs: standing.modified_at });
    if (row === null) return { versionId: versionId ?? null, isMarker: false };
    requireUnlocked(row, request);
    await removeRow(tx, row, request.nowMs);
    if (row.is_latest === 1 && settings.versioning !== 'off') await promoteNewest(tx, bucket, key);
    await note(tx, row, request);
    return { versionId: versionId ?? null, isMarker: row.is_marker === 1 };
  },
);

/** The row goes first; its bytes follow when the queue of deletions comes to them. */
async function removeRow(tx: Tx, row: ObjectRow, nowMs: number): Promise<void> {
  await tx.run('delete from objects where bucket = ? and object_key = ? and version_id = ?', [
    row.bucket,
    row.object_key,
    row.version_id,
  ]);
  if (row.content_id !== null) await releaseContent(tx, row.content_id, 'deleted', nowMs);
  await chargeQuota(tx, [refundOf(row)]);
}

async function placeMarker(tx: Tx, request: RemoveObject, settings: BucketSettings): Promise<Removal> {
  const { bucket, key, markerId, cause = 'delete', detail, actor, nowMs, conditions } = request;
  const attributes = { contentType: '', headers: {}, metadata: {}, checksums: [] };
  const content = { contentId: null, sizeBytes: 0, etag: '', attributes, tags: {}, lock: null };
  const marker = { bucket, key, versionId: markerId, ...content, cause, detail, actor, nowMs };
  const placed = await placeVersion(tx, marker, conditions);
  return { versionId: settings.versioning === 'enabled' ? placed.versionId : 'null', isMarker: true };
}

const promote = `update objects set is_latest = 1, noncurrent_at = null where bucket = ? and object_key = ? and seq =
  (select max(seq) from objects where bucket = ? and object_key = ?)`;

/** When the latest version is deleted, the one before it is what stands. */
export async function promoteNewest(tx: Tx, bucket: string, key: string): Promise<void> {
  await tx.run(promote, [bucket, key, bucket, key]);
}

/** Object lock: a legal hold, compliance, and governance without the right to pass it, keep a version from deletion. */
function requireUnlocked(row: ObjectRow, request: RemoveObject): void {
  if (row.lock_state === null) return;
  const lock = JSON.parse(row.lock_state) as ObjectLock;
  if (lock.isLegalHold) throw objectError('AccessDenied', {}, 'The version is under a legal hold.');
  const { retention } = lock;
  if (retention === null || retention.untilMs <= request.nowMs) return;
  if (retention.mode === 'GOVERNANCE' && request.bypassGovernance) return;
  const until = new Date(retention.untilMs).toISOString();
  throw objectError('AccessDenied', { retain_until: until }, `The version is kept until ${until}.`);
}

async function note(tx: Tx, row: ObjectRow, { cause = 'delete', detail, actor, nowMs }: RemoveObject): Promise<void> {
  const version = toVersion(row);
  await noteObject(tx, { type: 'object.deleted', version, actor, nowMs, detail: { cause, ...detail } });
}

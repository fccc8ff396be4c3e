import type { Tx } from '../../kernel/store/store.ts';
import type { BucketSettings } from '../bucket.ts';
import { type Conditions, requireWritable } from '../conditions.ts';
import { objectError } from '../errors.ts';
import type { ObjectAttributes, ObjectLock, ObjectVersion, RemovalCause, Tags, VersionCause } from '../object.ts';
import { type Charge, chargeOf, chargeQuota, refundOf } from '../quotas/charge.ts';
import { lockColumn, tagsColumn } from '../rows.ts';
import { standardClass } from '../storage-class.ts';
import type { ObjectRow } from '../tables.ts';
import { releaseContent } from './dispose.ts';
import { noteObject } from './events.ts';
import { requireBucketRow } from './find.ts';
import { keepingReferences } from './references.ts';

/** A version to be made the latest of its key. */
export interface NewVersion {
  readonly bucket: string;
  readonly key: string;
  /** Its id where the bucket keeps versions. */
  readonly versionId: string;
  /** `null` makes a delete marker. */
  readonly contentId: string | null;
  readonly sizeBytes: number;
  readonly etag: string;
  readonly attributes: ObjectAttributes;
  readonly tags: Tags;
  readonly lock: ObjectLock | null;
  /** Absent: `STANDARD`. */
  readonly storageClass?: string | undefined;
  /** Told in the event: what made it, or who ended what stood there before. */
  readonly cause: VersionCause | RemovalCause;
  readonly actor: string;
  readonly nowMs: number;
  /** What its event tells besides. */
  readonly detail?: Readonly<Record<string, unknown>> | undefined;
}

const latest = `select * from objects where bucket = ? and object_key = ? and is_latest = 1`;
const newest = `select coalesce(max(seq), 0) as seq from objects where bucket = ? and object_key = ?`;
const succeed = `update objects set is_latest = 0, noncurrent_at = ? where bucket = ? and object_key = ? and is_latest = 1`;
const insert = `insert into objects (bucket, object_key, version_id, seq, is_latest, is_marker, content_id, size_bytes, etag,
  attributes, tags, lock_state, owner, modified_at, storage_class) values (?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

/** Excludes other writers of a key. The first statement of every transaction that changes one. */
export function lockKey(tx: Tx, bucket: string, key: string): Promise<void> {
  return tx.lock(`object:${bucket}/${key}`);
}

/**
 * Makes a version the latest of its key, in the caller's transaction: locks the key, asks the conditions again, displaces
 * what it replaces and queues its bytes for deletion, books it against quotas together with what the caller has `freed`,
 * and writes the event. Throws `NoSuchBucket`, `PreconditionFailed`, `QuotaExceeded`.
 */
export async function placeVersion(
  tx: Tx,
  version: NewVersion,
  conditions: Conditions,
  freed: readonly Charge[] = [],
): Promise<ObjectVersion> {
  const { bucket, key, nowMs } = version;
  await lockKey(tx, bucket, key);
  const settings = await requireBucketRow(tx, bucket);
  const [current] = await tx.rows<ObjectRow>(latest, [bucket, key]);
  const standing = current === undefined || current.is_marker === 1 ? null : current;
  requireWritable(conditions, standing && { etag: standing.etag, modifiedAtMs: standing.modified_at });
  const placed = await insertLatest(tx, version, settings, current, freed);
  await noteObject(tx, {
    type: placed.isMarker ? 'object.marked_deleted' : 'object.created',
    version: placed,
    actor: version.actor,
    nowMs,
    detail: { cause: version.cause, ...version.detail },
  });
  return placed;
}

async function insertLatest(
  tx: Tx,
  version: NewVersion,
  settings: BucketSettings,
  current: ObjectRow | undefined,
  freed: readonly Charge[],
): Promise<ObjectVersion> {
  const { bucket, key, contentId, nowMs } = version;
  const versionId = settings.versioning === 'enabled' ? version.versionId : 'null';
  const displaced = versionId === 'null' ? await displaceNullVersion(tx, bucket, key, current) : null;
  const [last] = current === undefined ? [{ seq: 0 }] : await tx.rows<{ seq: number }>(newest, [bucket, key]);
  if (current !== undefined) {
    await tx.run(succeed, [nowMs, bucket, key]);
  }
  const isMarker = contentId === null;
  const { storageClass = standardClass } = version;
  const values = [
    bucket,
    key,
    versionId,
    Number(last!.seq) + 1,
    isMarker ? 1 : 0,
    contentId,
    version.sizeBytes,
    version.etag,
    JSON.stringify(version.attributes),
    tagsColumn(version.tags),
    lockColumn(version.lock),
    version.actor,
    nowMs,
    storageClass,
  ];
  await keepingReferences(tx.run(insert, values), () => objectError('NoSuchBucket', { bucket }));
  // After the insert, because a version may be replaced by one that shares its content.
  const released = displaced?.content_id ?? null;
  if (released !== null) await releaseContent(tx, released, 'overwritten', nowMs);
  const { sizeBytes, etag, attributes, tags, lock, actor: owner } = version;
  const placed = chargeOf({ bucket, object_key: key, owner, size_bytes: sizeBytes, is_marker: isMarker ? 1 : 0 });
  await chargeQuota(tx, [...freed, placed, ...(displaced === null ? [] : [refundOf(displaced)])]);
  const identity = { bucket, key, versionId, isLatest: true, isMarker, contentId };
  return { ...identity, sizeBytes, etag, attributes, tags, lock, owner, storageClass, modifiedAtMs: nowMs };
}

/** Without versioning a key has one version, named `null`; a new one takes its place. Gives the one it had. */
async function displaceNullVersion(
  tx: Tx,
  bucket: string,
  key: string,
  current: ObjectRow | undefined,
): Promise<ObjectRow | null> {
  if (current === undefined) return null;
  const statement = `delete from objects where bucket = ? and object_key = ? and version_id = 'null' returning *`;
  const [row] = await tx.rows<ObjectRow>(statement, [bucket, key]);
  return row ?? null;
}

import type { Bucket, BucketSettings } from './bucket.ts';
import { defaultBucketSettings } from './bucket.ts';
import { formOfColumn } from './content/form.ts';
import type {
  ContentPart,
  Copy,
  ObjectAttributes,
  ObjectChecksum,
  ObjectLock,
  ObjectVersion,
  Tags,
  Upload,
} from './object.ts';
import type { BucketRow, CopyRow, ObjectRow, PartRow, UploadRow } from './tables.ts';

/** Rows as the domain's values. */
export function toBucket(row: BucketRow): Bucket {
  const settings = { ...defaultBucketSettings, ...(JSON.parse(row.settings) as Partial<BucketSettings>) };
  return { name: row.name, owner: row.owner, settings, version: row.version, createdAtMs: row.created_at };
}

export function toVersion(row: ObjectRow): ObjectVersion {
  return {
    bucket: row.bucket,
    key: row.object_key,
    versionId: row.version_id,
    isLatest: row.is_latest === 1,
    isMarker: row.is_marker === 1,
    contentId: row.content_id,
    sizeBytes: row.size_bytes,
    etag: row.etag,
    attributes: JSON.parse(row.attributes) as ObjectAttributes,
    tags: row.tags === null ? {} : (JSON.parse(row.tags) as Tags),
    lock: row.lock_state === null ? null : (JSON.parse(row.lock_state) as ObjectLock),
    owner: row.owner,
    storageClass: row.storage_class,
    modifiedAtMs: row.modified_at,
  };
}

export function toCopy(row: CopyRow): Copy {
  const { content_id: contentId, part, backend, storage_key: storageKey, crc32 } = row;
  const sizes = { sizeBytes: row.size_bytes, storedBytes: row.stored_bytes };
  return { contentId, part, backend, storageKey, ...sizes, crc32, form: formOfColumn(row.form) };
}

export function toPart(row: PartRow): ContentPart {
  return {
    part: row.part,
    sizeBytes: row.size_bytes,
    etag: row.etag,
    crc32: row.crc32,
    checksums: JSON.parse(row.checksums) as ObjectChecksum[],
    modifiedAtMs: row.modified_at,
  };
}

export function toUpload(row: UploadRow): Upload {
  return {
    uploadId: row.upload_id,
    bucket: row.bucket,
    key: row.object_key,
    owner: row.owner,
    state: row.state as Upload['state'],
    attributes: JSON.parse(row.attributes) as ObjectAttributes,
    tags: row.tags === null ? {} : (JSON.parse(row.tags) as Tags),
    lock: row.lock_state === null ? null : (JSON.parse(row.lock_state) as ObjectLock),
    checksum: row.checksum === null ? null : (JSON.parse(row.checksum) as Upload['checksum']),
    storageClass: row.storage_class,
    createdAtMs: row.created_at,
  };
}

/** Tags as a column: none is null, so that most rows stay small. */
export function tagsColumn(tags: Tags): string | null {
  return Object.keys(tags).length === 0 ? null : JSON.stringify(tags);
}

export function lockColumn(lock: ObjectLock | null): string | null {
  return lock === null || (lock.retention === null && !lock.isLegalHold) ? null : JSON.stringify(lock);
}

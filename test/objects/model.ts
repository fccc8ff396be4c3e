import { createHash } from 'node:crypto';

/** What S3 says a gateway does, in memory and in the plainest way. */

export interface ModelVersion {
  /** As the gateway named it; `null` as text where the bucket keeps no versions. */
  readonly versionId: string;
  readonly isMarker: boolean;
  readonly bytes: Buffer;
  readonly etag: string;
  readonly contentType: string;
  tags: Readonly<Record<string, string>>;
}

export interface ModelBucket {
  versioning: 'off' | 'enabled' | 'suspended';
  /** Newest first; a key without versions is not in it. */
  readonly keys: Map<string, ModelVersion[]>;
}

export type ModelCondition = 'none' | 'absent' | 'same' | 'other';

export function md5(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('hex');
}

/** The ETag of an object that was uploaded in parts. */
export function partsEtag(parts: readonly Buffer[]): string {
  const binary = parts.map((bytes) => createHash('md5').update(bytes).digest());
  return `${md5(Buffer.concat(binary))}-${parts.length}`;
}

/** What stands under a key, `null` for nothing and for a delete marker. */
export function latest(bucket: ModelBucket, key: string): ModelVersion | null {
  const [first] = bucket.keys.get(key) ?? [];
  return first === undefined || first.isMarker ? null : first;
}

/** The code that a write under a condition is refused with, `null` when it is not. */
export function refusal(bucket: ModelBucket, key: string, condition: ModelCondition): string | null {
  const current = latest(bucket, key);
  if (condition === 'absent') return current === null ? null : 'PreconditionFailed';
  if (condition === 'same') return current === null ? 'NoSuchKey' : null;
  if (condition === 'other') return current === null ? 'NoSuchKey' : 'PreconditionFailed';
  return null;
}

/** Makes a version the latest. Where no versions are kept it takes the place of the one named `null`. */
export function place(bucket: ModelBucket, key: string, version: ModelVersion): void {
  const others = (bucket.keys.get(key) ?? []).filter(
    ({ versionId }) => bucket.versioning === 'enabled' || versionId !== 'null',
  );
  bucket.keys.set(key, [version, ...others]);
}

export function dropVersion(bucket: ModelBucket, key: string, versionId: string): void {
  const left = (bucket.keys.get(key) ?? []).filter((one) => one.versionId !== versionId);
  if (left.length === 0) bucket.keys.delete(key);
  else bucket.keys.set(key, left);
}

export function inByteOrder(keys: Iterable<string>): string[] {
  return [...keys].toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

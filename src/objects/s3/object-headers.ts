import { checksumHeader } from '../checksums/algorithm.ts';
import type { ObjectChecksum, ObjectVersion } from '../object.ts';
import { standardClass } from '../storage-class.ts';
import { formatHttpTime } from './http-time.ts';
import { addAttributeHeaders } from './metadata.ts';

export type Headers = Record<string, string>;

/** What every answer about the bytes of a version says of it; also one that has nothing new to say (304). */
export function validatorHeaders({ etag, modifiedAtMs, attributes }: ObjectVersion): Headers {
  const headers: Headers = { etag: `"${etag}"`, 'last-modified': formatHttpTime(modifiedAtMs) };
  const { 'cache-control': cacheControl, expires } = attributes.headers;
  if (cacheControl !== undefined) headers['cache-control'] = cacheControl;
  if (expires !== undefined) headers['expires'] = expires;
  return headers;
}

/** What GetObject and HeadObject say of a version, whatever part of its content they give. */
export function versionFacts(version: ObjectVersion): Headers {
  const { etag, modifiedAtMs, attributes, tags, lock } = version;
  const headers: Headers = {
    'accept-ranges': 'bytes',
    etag: `"${etag}"`,
    'last-modified': formatHttpTime(modifiedAtMs),
  };
  addAttributeHeaders(attributes, headers);
  let tagCount = 0;
  for (const _key in tags) tagCount += 1;
  if (tagCount > 0) headers['x-amz-tagging-count'] = String(tagCount);
  if (lock !== null) addLockHeaders(lock, headers);
  addClassHeader(version, headers);
  return headers;
}

/** Tells the storage class, where it is another one than STANDARD, as S3 does. */
export function addClassHeader(
  { storageClass = standardClass }: Pick<ObjectVersion, 'storageClass'>,
  headers: Headers,
) {
  if (storageClass !== standardClass) headers['x-amz-storage-class'] = storageClass;
}

function addLockHeaders({ retention, isLegalHold }: NonNullable<ObjectVersion['lock']>, headers: Headers): void {
  if (retention !== null) {
    headers['x-amz-object-lock-mode'] = retention.mode;
    headers['x-amz-object-lock-retain-until-date'] = new Date(retention.untilMs).toISOString();
  }
  if (isLegalHold) headers['x-amz-object-lock-legal-hold'] = 'ON';
}

/** The checksums that are known, as headers. */
export function addChecksumHeaders(checksums: readonly ObjectChecksum[], headers: Headers): void {
  for (const { algorithm, value, type } of checksums) {
    headers[checksumHeader(algorithm)] = value;
    headers['x-amz-checksum-type'] = type;
  }
}

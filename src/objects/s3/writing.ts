import { type EncryptionWish, customerKeyOf } from '../encryption/encryption.ts';
import type { GivenAttributes, ObjectLock, ObjectVersion, Tags } from '../object.ts';
import type { S3Context } from './command.ts';
import { addEncryptionHeaders, parseEncryption } from './encryption-headers.ts';
import { lockActions, lockFor } from './lock-rules.ts';
import { parseAttributes } from './metadata.ts';
import { type Headers, addChecksumHeaders, addClassHeader } from './object-headers.ts';
import { parseTagHeader } from './tags.ts';

/** What the headers of a write say of the object. */
export interface Described {
  readonly attributes: GivenAttributes;
  readonly encryption: EncryptionWish | undefined;
  readonly tags: Tags;
  readonly lock: ObjectLock | null;
  readonly storageClass: string | undefined;
}

/**
 * Reads attributes, tags and lock from the headers. Tags and locks have actions of their own, which the caller must be
 * allowed as well.
 */
export async function readDescription(context: S3Context): Promise<Described> {
  const header = (name: string) => context.header(name);
  const attributes = parseAttributes(header, (prefix) => context.headersFrom(prefix));
  const encryption = parseEncryption(header);
  // Before the client is told to send its bytes.
  context.gateway.objects.checkEncryption(encryption);
  const storageClass = readStorageClass(context);
  return { attributes, encryption, storageClass, tags: await readTags(context), lock: await readLock(context) };
}

/** Throws `InvalidStorageClass` for one that there is not. */
export function readStorageClass(context: S3Context): string | undefined {
  const storageClass = context.header('x-amz-storage-class') || undefined;
  context.gateway.objects.checkStorageClass(storageClass);
  return storageClass;
}

export async function readTags(context: S3Context): Promise<Tags> {
  const header = context.header('x-amz-tagging');
  const tags = parseTagHeader(header);
  if (header !== undefined && header !== '') await context.require('s3:PutObjectTagging');
  return tags;
}

export async function readLock(context: S3Context): Promise<ObjectLock | null> {
  const header = (name: string) => context.header(name);
  for (const action of lockActions(header)) await context.require(action);
  return lockFor(header, context.bucket.settings, context.nowMs);
}

/** What the answer to a write says of the version that it made. */
export function writtenHeaders(
  { bucket }: Pick<S3Context, 'bucket'>,
  version: ObjectVersion,
  wish: EncryptionWish | undefined,
): Headers {
  const headers: Headers = { etag: `"${version.etag}"` };
  if (bucket.settings.versioning !== 'off') headers['x-amz-version-id'] = version.versionId;
  addChecksumHeaders(version.attributes.checksums, headers);
  addEncryptionHeaders(version.attributes.encryption, customerKeyOf(wish), headers);
  addClassHeader(version, headers);
  return headers;
}

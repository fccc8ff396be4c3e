import type { ObjectAttributes, ObjectLock, ObjectVersion, Tags } from '../object.ts';
import type { S3Context } from './command.ts';
import { lockActions, lockFor } from './lock-rules.ts';
import { parseAttributes } from './metadata.ts';
import { type Headers, addChecksumHeaders } from './object-headers.ts';
import { parseTagHeader } from './tags.ts';

/** What the headers of a write say of the object. */
export interface Described {
  readonly attributes: Omit<ObjectAttributes, 'checksums'>;
  readonly tags: Tags;
  readonly lock: ObjectLock | null;
}

/**
 * Reads attributes, tags and lock from the headers. Tags and locks have actions of their own, which the caller must be
 * allowed as well.
 */
export async function readDescription(context: S3Context): Promise<Described> {
  const header = (name: string) => context.header(name);
  const attributes = parseAttributes(header, (prefix) => context.headersFrom(prefix));
  return { attributes, tags: await readTags(context), lock: await readLock(context) };
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
export function writtenHeaders({ bucket }: S3Context, version: ObjectVersion): Headers {
  const headers: Headers = { etag: `"${version.etag}"` };
  if (bucket.settings.versioning !== 'off') headers['x-amz-version-id'] = version.versionId;
  addChecksumHeaders(version.attributes.checksums, headers);
  return headers;
}

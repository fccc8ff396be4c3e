import { objectError } from '../../errors.ts';
import type { VersionRef } from '../../gateway.ts';
import type { ObjectVersion } from '../../object.ts';
import type { S3Context } from '../command.ts';

/** The version that a request on an object is about: its latest one, or the one that it names. */
export function versionRef({ bucket, key, query }: S3Context): VersionRef {
  return { bucket: bucket.name, key, versionId: query.get('versionId') };
}

/**
 * The version of a request on a sub-resource. A delete marker has none: as the latest version it hides the key, and named it
 * is `MethodNotAllowed`.
 */
export async function statSubject(context: S3Context): Promise<ObjectVersion> {
  return (await findSubject(context)).version;
}

/** As {@link statSubject}, and whether the version was told from memory. */
export async function findSubject(context: S3Context): Promise<{ version: ObjectVersion; isStale: boolean }> {
  const ref = versionRef(context);
  const { version, isStale } = await context.gateway.objects.find(ref);
  if (!version.isMarker) return { version, isStale };
  const details = { marker: version.versionId };
  throw ref.versionId === undefined ? objectError('NoSuchKey', details) : objectError('MethodNotAllowed', details);
}

/** Tells which version it was, where the bucket has versions. */
export function versionHeaders({ bucket }: S3Context, { versionId }: ObjectVersion): Record<string, string> {
  return bucket.settings.versioning === 'off' ? {} : { 'x-amz-version-id': versionId };
}

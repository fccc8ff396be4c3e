import { objectError } from '../errors.ts';
import type { Bucket } from '../bucket.ts';
import type { VersionRef } from '../gateway.ts';
import type { S3Context } from './command.ts';
import { decodePath } from './signature/uri.ts';

const versionMark = '?versionId=';

/**
 * Reads `x-amz-copy-source`: `bucket/key`, URL-encoded, with or without a leading slash, and with `?versionId=` for one
 * version. Throws `InvalidArgument`.
 */
export function parseCopySource(header: string): VersionRef {
  const at = header.lastIndexOf(versionMark);
  const path = at < 0 ? header : header.slice(0, at);
  const versionId = at < 0 ? undefined : header.slice(at + versionMark.length);
  let text: string;
  try {
    text = decodePath(path);
  } catch {
    throw invalid('It is not URL-encoded.');
  }
  const start = text.startsWith('/') ? 1 : 0;
  const slash = text.indexOf('/', start);
  const bucket = text.slice(start, slash);
  const key = text.slice(slash + 1);
  if (slash < 0 || bucket === '' || key === '') throw invalid('It must be sourcebucket/sourcekey.');
  if (text.includes('\0')) throw invalid('A key cannot contain a null character.');
  if (versionId === '') throw invalid('The version is empty.');
  return { bucket, key, versionId };
}

function invalid(reason: string): Error {
  return objectError(
    'InvalidArgument',
    { argument: 'x-amz-copy-source', reason },
    `Copy source is not valid. ${reason}`,
  );
}

/** The source of a copy, once the caller may read it. */
export async function readCopySource(
  context: S3Context,
): Promise<{ readonly source: VersionRef; readonly bucket: Bucket }> {
  const source = parseCopySource(context.header('x-amz-copy-source') ?? '');
  const isSame = source.bucket === context.bucket.name;
  const bucket = isSame ? context.bucket : await context.gateway.buckets.get(source.bucket);
  const expected = context.header('x-amz-source-expected-bucket-owner');
  if (expected !== undefined && expected !== bucket.owner) throw objectError('AccessDenied');
  const action = source.versionId === undefined ? 's3:GetObject' : 's3:GetObjectVersion';
  await context.require(action, { bucket, key: source.key });
  return { source, bucket };
}

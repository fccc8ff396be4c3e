import { objectError } from '../errors.ts';
import type { UploadRef } from '../gateway.ts';
import type { S3Context } from './command.ts';
import { parsePartNumber } from './reading.ts';

/** The upload that a request is about. Throws `NoSuchUpload` when its id is empty. */
export function uploadRef({ bucket, key, query }: S3Context): UploadRef {
  const uploadId = query.get('uploadId') ?? '';
  if (uploadId === '') throw objectError('NoSuchUpload', { upload_id: uploadId });
  return { bucket: bucket.name, key, uploadId };
}

/** The number of the part that a request is about. Throws `InvalidArgument`. */
export function requiredPart({ query }: S3Context): number {
  return parsePartNumber(query.get('partNumber') ?? '')!;
}

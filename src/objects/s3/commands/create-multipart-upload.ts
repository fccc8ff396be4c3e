import { parseAlgorithm } from '../../checksums/algorithm.ts';
import { parseChecksumType } from '../../checksums/multipart.ts';
import { customerKeyOf } from '../../encryption/encryption.ts';
import { objectError } from '../../errors.ts';
import type { Upload } from '../../object.ts';
import type { S3Command, S3Context } from '../command.ts';
import { addEncryptionHeaders } from '../encryption-headers.ts';
import { readDescription } from '../writing.ts';
import { leaf } from '../xml/writer.ts';

export const createMultipartUpload: S3Command = {
  name: 'CreateMultipartUpload',
  method: 'POST',
  resource: 'object',
  selectedBy: ['uploads'],
  alsoTakes: [],
  action: 's3:PutObject',
  handle: async (context) => {
    const { gateway, bucket, key, actor } = context;
    const described = await readDescription(context);
    const checksum = checksumIn(context);
    const upload = await gateway.uploads.create({ ...described, checksum, bucket: bucket.name, key, owner: actor });
    const headers: Record<string, string> = {};
    if (checksum !== null) {
      headers['x-amz-checksum-algorithm'] = checksum.algorithm;
      headers['x-amz-checksum-type'] = checksum.type;
    }
    addEncryptionHeaders(upload.attributes.encryption, customerKeyOf(described.encryption), headers);
    const children = [leaf('Bucket', bucket.name), leaf('Key', key), leaf('UploadId', upload.uploadId)];
    return { status: 200, headers, body: { name: 'InitiateMultipartUploadResult', children } };
  },
};

/** The checksum that the object is to have. */
function checksumIn(context: S3Context): Upload['checksum'] {
  const field = 'x-amz-checksum-algorithm';
  const text = context.header(field);
  const type = context.header('x-amz-checksum-type');
  if (text === undefined) {
    if (type === undefined) return null;
    const message = 'The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.';
    throw objectError('InvalidRequest', { field: 'x-amz-checksum-type' }, message);
  }
  const algorithm = parseAlgorithm(text);
  if (algorithm === undefined)
    throw objectError('InvalidRequest', { field }, 'The checksum algorithm is not supported.');
  return { algorithm, type: parseChecksumType(algorithm, type) };
}

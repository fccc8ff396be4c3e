import { objectError } from '../../errors.ts';
import type { ByteRange } from '../../content/content.ts';
import type { S3Command } from '../command.ts';
import { parseConditions } from '../conditions.ts';
import { readCopySource } from '../copy-source.ts';
import {
  addEncryptionHeaders,
  parseCustomerKey,
  refusePartEncryption,
  sourceCustomerHeader,
} from '../encryption-headers.ts';
import { requiredPart, uploadRef } from '../upload-ref.ts';
import { copyResult } from './copy-object.ts';

export const uploadPartCopy: S3Command = {
  name: 'UploadPartCopy',
  method: 'PUT',
  resource: 'object',
  selectedBy: ['partNumber', 'uploadId'],
  selectedByHeader: 'x-amz-copy-source',
  alsoTakes: [],
  action: 's3:PutObject',
  handle: async (context) => {
    const { gateway, actor, signal } = context;
    const ref = uploadRef(context);
    const number = requiredPart(context);
    const { source, bucket } = await readCopySource(context);
    const header = (name: string) => context.header(name);
    refusePartEncryption(header);
    const customerKey = parseCustomerKey(header);
    const from = {
      ref: source,
      sourceKey: parseCustomerKey(header, sourceCustomerHeader),
      range: parseSourceRange(context.header('x-amz-copy-source-range')),
      conditions: parseConditions(header, 'x-amz-copy-source-'),
    };
    const isVersioned = bucket.settings.versioning !== 'off' && source.versionId !== undefined;
    const headers: Record<string, string> = isVersioned ? { 'x-amz-copy-source-version-id': source.versionId } : {};
    addEncryptionHeaders(undefined, customerKey, headers);
    return {
      status: 200,
      work: async () => {
        const part = await gateway.uploads.copyPart(ref, number, from, { actor, signal, customerKey });
        return { status: 200, headers, body: copyResult('CopyPartResult', part, part.checksums) };
      },
    };
  },
};

/** Here a range must be exactly `bytes=first-last`, and inside the source. */
function parseSourceRange(header: string | undefined): ByteRange | null {
  if (header === undefined) return null;
  const [, first, last] = /^bytes=(\d{1,15})-(\d{1,15})$/.exec(header) ?? [];
  const offset = Number(first);
  const length = Number(last) - offset + 1;
  if (length > 0) return { offset, length };
  const message =
    'The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based ' +
    'offsets of the first and last bytes to copy.';
  throw objectError('InvalidArgument', { argument: 'x-amz-copy-source-range', value: header.slice(0, 100) }, message);
}

import { checksumHeader } from '../../checksums/algorithm.ts';
import type { S3Command } from '../command.ts';
import { addEncryptionHeaders, parseCustomerKey, refusePartEncryption } from '../encryption-headers.ts';
import { requiredPart, uploadRef } from '../upload-ref.ts';

export const uploadPart: S3Command = {
  name: 'UploadPart',
  method: 'PUT',
  resource: 'object',
  selectedBy: ['partNumber', 'uploadId'],
  alsoTakes: [],
  action: 's3:PutObject',
  handle: async (context) => {
    const ref = uploadRef(context);
    const number = requiredPart(context);
    const header = (name: string) => context.header(name);
    refusePartEncryption(header);
    const customerKey = parseCustomerKey(header);
    const incoming = { ...(await context.incoming()), customerKey };
    const part = await context.gateway.uploads.putPart(ref, number, incoming, context.actor);
    const headers: Record<string, string> = { etag: `"${part.etag}"` };
    for (const { algorithm, value } of part.checksums) headers[checksumHeader(algorithm)] = value;
    addEncryptionHeaders(undefined, customerKey, headers);
    return { status: 200, headers };
  },
};

import { checksumHeader } from '../../checksums/algorithm.ts';
import type { S3Command } from '../command.ts';
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
    const incoming = await context.incoming();
    const part = await context.gateway.uploads.putPart(ref, number, incoming, context.actor);
    const headers: Record<string, string> = { etag: `"${part.etag}"` };
    for (const { algorithm, value } of part.checksums) headers[checksumHeader(algorithm)] = value;
    return { status: 200, headers };
  },
};

import type { S3Command } from '../command.ts';
import { uploadRef } from '../upload-ref.ts';

export const abortMultipartUpload: S3Command = {
  name: 'AbortMultipartUpload',
  method: 'DELETE',
  resource: 'object',
  selectedBy: ['uploadId'],
  alsoTakes: [],
  action: 's3:AbortMultipartUpload',
  handle: async (context) => {
    await context.gateway.uploads.abort(uploadRef(context), context.actor);
    return { status: 204 };
  },
};

import type { S3Command } from '../command.ts';
import { requirePrivate } from './private-acl.ts';

export const putBucketAcl: S3Command = {
  name: 'PutBucketAcl',
  method: 'PUT',
  resource: 'bucket',
  selectedBy: ['acl'],
  alsoTakes: [],
  action: 's3:PutBucketAcl',
  handle: async (context) => {
    await requirePrivate(context, context.bucket.owner);
    return { status: 200 };
  },
};

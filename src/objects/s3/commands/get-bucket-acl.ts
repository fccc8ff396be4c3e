import { writeAcl } from '../acl.ts';
import type { S3Command } from '../command.ts';

export const getBucketAcl: S3Command = {
  name: 'GetBucketAcl',
  method: 'GET',
  resource: 'bucket',
  selectedBy: ['acl'],
  alsoTakes: [],
  action: 's3:GetBucketAcl',
  handle: async ({ bucket }) => ({ status: 200, body: writeAcl(bucket.owner) }),
};

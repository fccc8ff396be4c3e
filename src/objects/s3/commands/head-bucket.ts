import type { S3Command } from '../command.ts';

export const headBucket: S3Command = {
  name: 'HeadBucket',
  method: 'HEAD',
  resource: 'bucket',
  selectedBy: [],
  alsoTakes: [],
  action: 's3:HeadBucket',
  handle: async ({ region }) => ({ status: 200, headers: { 'x-amz-bucket-region': region } }),
};

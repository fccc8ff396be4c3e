import type { S3Command } from '../command.ts';

/** Empty, as for a bucket that never had it: tools that read all of a bucket ask. */
export const getBucketAccelerateConfiguration: S3Command = {
  name: 'GetBucketAccelerateConfiguration',
  method: 'GET',
  resource: 'bucket',
  selectedBy: ['accelerate'],
  alsoTakes: [],
  action: 's3:GetAccelerateConfiguration',
  handle: async () => ({ status: 200, body: { name: 'AccelerateConfiguration' } }),
};

import type { S3Command } from '../command.ts';

export const deleteBucket: S3Command = {
  name: 'DeleteBucket',
  method: 'DELETE',
  resource: 'bucket',
  selectedBy: [],
  alsoTakes: [],
  action: 's3:DeleteBucket',
  handle: async ({ gateway, bucket, actor }) => {
    await gateway.buckets.delete(bucket.name, actor);
    return { status: 204 };
  },
};

import type { S3Command } from '../command.ts';

/** Nothing is kept, so nothing goes; tools that take a bucket down ask for it all the same. */
export const deleteBucketOwnershipControls: S3Command = {
  name: 'DeleteBucketOwnershipControls',
  method: 'DELETE',
  resource: 'bucket',
  selectedBy: ['ownershipControls'],
  alsoTakes: [],
  action: 's3:PutBucketOwnershipControls',
  handle: async () => ({ status: 204 }),
};

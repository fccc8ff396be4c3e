import type { S3Command } from '../command.ts';

/** Always the same: objects belong to the owner of their bucket. */
export const getBucketOwnershipControls: S3Command = {
  name: 'GetBucketOwnershipControls',
  method: 'GET',
  resource: 'bucket',
  selectedBy: ['ownershipControls'],
  alsoTakes: [],
  action: 's3:GetBucketOwnershipControls',
  handle: async () => ({
    status: 200,
    body: {
      name: 'OwnershipControls',
      children: [{ name: 'Rule', children: [{ name: 'ObjectOwnership', text: 'BucketOwnerEnforced' }] }],
    },
  }),
};

import type { S3Command } from '../command.ts';

/** The region that S3 writes as none. */
const classicRegion = 'us-east-1';

export const getBucketLocation: S3Command = {
  name: 'GetBucketLocation',
  method: 'GET',
  resource: 'bucket',
  selectedBy: ['location'],
  alsoTakes: [],
  action: 's3:GetBucketLocation',
  handle: async ({ region }) => ({
    status: 200,
    body: { name: 'LocationConstraint', text: region === classicRegion ? '' : region },
  }),
};

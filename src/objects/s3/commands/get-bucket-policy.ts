import { objectError } from '../../errors.ts';
import type { S3Command } from '../command.ts';

export const getBucketPolicy: S3Command = {
  name: 'GetBucketPolicy',
  method: 'GET',
  resource: 'bucket',
  selectedBy: ['policy'],
  alsoTakes: [],
  action: 's3:GetBucketPolicy',
  handle: async ({ bucket }) => {
    const { policy } = bucket.settings;
    if (policy === undefined) throw objectError('NoSuchBucketPolicy', { bucket: bucket.name });
    return { status: 200, headers: { 'content-type': 'application/json' }, body: policy };
  },
};

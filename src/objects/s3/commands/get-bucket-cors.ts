import { objectError } from '../../errors.ts';
import type { S3Command } from '../command.ts';
import { writeCors } from '../cors-rules.ts';

export const getBucketCors: S3Command = {
  name: 'GetBucketCors',
  method: 'GET',
  resource: 'bucket',
  selectedBy: ['cors'],
  alsoTakes: [],
  action: 's3:GetBucketCORS',
  handle: async ({ bucket }) => {
    const { cors } = bucket.settings;
    if (cors === undefined) throw objectError('NoSuchCORSConfiguration', { bucket: bucket.name });
    return { status: 200, body: writeCors(cors) };
  },
};

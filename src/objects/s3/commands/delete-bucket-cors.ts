import type { S3Command } from '../command.ts';
import { removeSetting } from './settings.ts';

export const deleteBucketCors: S3Command = {
  name: 'DeleteBucketCors',
  method: 'DELETE',
  resource: 'bucket',
  selectedBy: ['cors'],
  alsoTakes: [],
  action: 's3:PutBucketCORS',
  handle: async (context) => {
    await removeSetting(context, 'cors');
    return { status: 204 };
  },
};

import type { S3Command } from '../command.ts';
import { removeSetting } from './settings.ts';

export const deleteBucketPolicy: S3Command = {
  name: 'DeleteBucketPolicy',
  method: 'DELETE',
  resource: 'bucket',
  selectedBy: ['policy'],
  alsoTakes: [],
  action: 's3:DeleteBucketPolicy',
  handle: async (context) => {
    await removeSetting(context, 'policy');
    return { status: 204 };
  },
};

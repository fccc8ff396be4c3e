import type { S3Command } from '../command.ts';
import { removeSetting } from './settings.ts';

export const deleteBucketLifecycle: S3Command = {
  name: 'DeleteBucketLifecycle',
  method: 'DELETE',
  resource: 'bucket',
  selectedBy: ['lifecycle'],
  alsoTakes: [],
  action: 's3:PutLifecycleConfiguration',
  handle: async (context) => {
    await removeSetting(context, 'lifecycle');
    return { status: 204 };
  },
};

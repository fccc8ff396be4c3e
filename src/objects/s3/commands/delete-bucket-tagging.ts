import type { S3Command } from '../command.ts';
import { removeSetting } from './settings.ts';

export const deleteBucketTagging: S3Command = {
  name: 'DeleteBucketTagging',
  method: 'DELETE',
  resource: 'bucket',
  selectedBy: ['tagging'],
  alsoTakes: [],
  action: 's3:PutBucketTagging',
  handle: async (context) => {
    await removeSetting(context, 'tags');
    return { status: 204 };
  },
};

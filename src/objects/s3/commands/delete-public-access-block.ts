import type { S3Command } from '../command.ts';
import { removeSetting } from './settings.ts';

export const deletePublicAccessBlock: S3Command = {
  name: 'DeletePublicAccessBlock',
  method: 'DELETE',
  resource: 'bucket',
  selectedBy: ['publicAccessBlock'],
  alsoTakes: [],
  action: 's3:PutBucketPublicAccessBlock',
  handle: async (context) => {
    await removeSetting(context, 'isAccessBlocked');
    return { status: 204 };
  },
};

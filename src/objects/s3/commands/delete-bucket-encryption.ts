import type { S3Command } from '../command.ts';
import { removeSetting } from './settings.ts';

export const deleteBucketEncryption: S3Command = {
  name: 'DeleteBucketEncryption',
  method: 'DELETE',
  resource: 'bucket',
  selectedBy: ['encryption'],
  alsoTakes: [],
  action: 's3:PutEncryptionConfiguration',
  handle: async (context) => {
    await removeSetting(context, 'encryption');
    return { status: 204 };
  },
};

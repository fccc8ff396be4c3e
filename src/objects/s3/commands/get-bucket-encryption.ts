import { objectError } from '../../errors.ts';
import type { S3Command } from '../command.ts';

export const getBucketEncryption: S3Command = {
  name: 'GetBucketEncryption',
  method: 'GET',
  resource: 'bucket',
  selectedBy: ['encryption'],
  alsoTakes: [],
  action: 's3:GetEncryptionConfiguration',
  handle: async ({ bucket }) => {
    throw objectError('ServerSideEncryptionConfigurationNotFoundError', { bucket: bucket.name });
  },
};

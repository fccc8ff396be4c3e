import { objectError } from '../../errors.ts';
import type { S3Command } from '../command.ts';
import { writeBucketEncryption } from '../encryption-xml.ts';

export const getBucketEncryption: S3Command = {
  name: 'GetBucketEncryption',
  method: 'GET',
  resource: 'bucket',
  selectedBy: ['encryption'],
  alsoTakes: [],
  action: 's3:GetEncryptionConfiguration',
  handle: async ({ bucket }) => {
    const { encryption } = bucket.settings;
    if (encryption != null) return { status: 200, body: writeBucketEncryption(encryption) };
    throw objectError('ServerSideEncryptionConfigurationNotFoundError', { bucket: bucket.name });
  },
};

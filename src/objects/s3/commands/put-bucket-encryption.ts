import type { S3Command } from '../command.ts';
import { encryptionXmlBytesMax, parseBucketEncryption } from '../encryption-xml.ts';
import { changeSettings } from './settings.ts';

export const putBucketEncryption: S3Command = {
  name: 'PutBucketEncryption',
  method: 'PUT',
  resource: 'bucket',
  selectedBy: ['encryption'],
  alsoTakes: [],
  action: 's3:PutEncryptionConfiguration',
  handle: async (context) => {
    const encryption = parseBucketEncryption(await context.xml(encryptionXmlBytesMax));
    await changeSettings(context, (settings) => ({ ...settings, encryption }));
    return { status: 200 };
  },
};

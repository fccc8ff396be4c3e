import { objectError } from '../../errors.ts';
import type { S3Command } from '../command.ts';
import { parseXml } from '../xml/reader.ts';

export const getBucketLifecycleConfiguration: S3Command = {
  name: 'GetBucketLifecycleConfiguration',
  method: 'GET',
  resource: 'bucket',
  selectedBy: ['lifecycle'],
  alsoTakes: [],
  action: 's3:GetLifecycleConfiguration',
  handle: async ({ bucket }) => {
    const { lifecycle } = bucket.settings;
    if (lifecycle === undefined) throw objectError('NoSuchLifecycleConfiguration', { bucket: bucket.name });
    return { status: 200, body: parseXml(lifecycle) };
  },
};

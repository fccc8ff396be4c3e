import type { S3Command } from '../command.ts';

export const getBucketVersioning: S3Command = {
  name: 'GetBucketVersioning',
  method: 'GET',
  resource: 'bucket',
  selectedBy: ['versioning'],
  alsoTakes: [],
  action: 's3:GetBucketVersioning',
  handle: async ({ bucket }) => {
    const { versioning } = bucket.settings;
    const status = versioning === 'enabled' ? 'Enabled' : 'Suspended';
    // A bucket that never had versions has no status at all.
    const children = versioning === 'off' ? [] : [{ name: 'Status', text: status }];
    return { status: 200, body: { name: 'VersioningConfiguration', children } };
  },
};

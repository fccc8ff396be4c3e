import { objectError } from '../../errors.ts';
import type { S3Command } from '../command.ts';
import { writeLockConfiguration } from '../lock-xml.ts';

export const getObjectLockConfiguration: S3Command = {
  name: 'GetObjectLockConfiguration',
  method: 'GET',
  resource: 'bucket',
  selectedBy: ['object-lock'],
  alsoTakes: [],
  action: 's3:GetBucketObjectLockConfiguration',
  handle: async ({ bucket }) => {
    const { isLockEnabled, lockRule } = bucket.settings;
    if (!isLockEnabled) throw objectError('ObjectLockConfigurationNotFoundError', { bucket: bucket.name });
    return { status: 200, body: writeLockConfiguration(lockRule ?? null) };
  },
};

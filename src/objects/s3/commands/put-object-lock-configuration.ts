import { objectError } from '../../errors.ts';
import type { S3Command } from '../command.ts';
import { lockXmlBytesMax, parseLockConfiguration } from '../lock-xml.ts';
import { changeSettings } from './settings.ts';

/** Also gives object lock to a bucket that was made without, as long as it keeps versions. */
export const putObjectLockConfiguration: S3Command = {
  name: 'PutObjectLockConfiguration',
  method: 'PUT',
  resource: 'bucket',
  selectedBy: ['object-lock'],
  alsoTakes: [],
  action: 's3:PutBucketObjectLockConfiguration',
  handle: async (context) => {
    const lockRule = parseLockConfiguration(await context.xml(lockXmlBytesMax));
    await changeSettings(context, (settings) => {
      if (!settings.isLockEnabled && settings.versioning !== 'enabled') {
        throw objectError('InvalidBucketState', {}, 'Object lock needs versioning to be enabled.');
      }
      return { ...settings, isLockEnabled: true, lockRule };
    });
    return { status: 200 };
  },
};

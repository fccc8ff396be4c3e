import { objectError } from '../../errors.ts';
import type { S3Command } from '../command.ts';
import { withoutLock } from '../lock-rules.ts';
import { writeRetention } from '../lock-xml.ts';
import { statSubject, versionHeaders } from './subject.ts';

export const getObjectRetention: S3Command = {
  name: 'GetObjectRetention',
  method: 'GET',
  resource: 'object',
  selectedBy: ['retention'],
  alsoTakes: ['versionId'],
  action: 's3:GetObjectRetention',
  handle: async (context) => {
    if (!context.bucket.settings.isLockEnabled) throw withoutLock();
    const version = await statSubject(context);
    const retention = version.lock?.retention ?? null;
    if (retention === null) throw objectError('NoSuchObjectLockConfiguration', { key: context.key });
    return { status: 200, headers: versionHeaders(context, version), body: writeRetention(retention) };
  },
};

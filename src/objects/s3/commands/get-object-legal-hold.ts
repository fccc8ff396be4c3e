import { objectError } from '../../errors.ts';
import type { S3Command } from '../command.ts';
import { withoutLock } from '../lock-rules.ts';
import { writeLegalHold } from '../lock-xml.ts';
import { statSubject, versionHeaders } from './subject.ts';

export const getObjectLegalHold: S3Command = {
  name: 'GetObjectLegalHold',
  method: 'GET',
  resource: 'object',
  selectedBy: ['legal-hold'],
  alsoTakes: ['versionId'],
  action: 's3:GetObjectLegalHold',
  handle: async (context) => {
    if (!context.bucket.settings.isLockEnabled) throw withoutLock();
    const version = await statSubject(context);
    if (version.lock === null) throw objectError('NoSuchObjectLockConfiguration', { key: context.key });
    return { status: 200, headers: versionHeaders(context, version), body: writeLegalHold(version.lock.isLegalHold) };
  },
};

import type { S3Command } from '../command.ts';
import { withoutLock } from '../lock-rules.ts';
import { writeLegalHold } from '../lock-xml.ts';
import { statSubject, versionHeaders } from './subject.ts';

/** A version that never had a hold has none, and says so as one whose hold was lifted. */
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
    const isLegalHold = version.lock?.isLegalHold ?? false;
    return { status: 200, headers: versionHeaders(context, version), body: writeLegalHold(isLegalHold) };
  },
};

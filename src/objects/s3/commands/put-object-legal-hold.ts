import type { S3Command } from '../command.ts';
import { withoutLock } from '../lock-rules.ts';
import { lockXmlBytesMax, parseLegalHold } from '../lock-xml.ts';
import { versionHeaders, versionRef } from './subject.ts';

export const putObjectLegalHold: S3Command = {
  name: 'PutObjectLegalHold',
  method: 'PUT',
  resource: 'object',
  selectedBy: ['legal-hold'],
  alsoTakes: ['versionId'],
  action: 's3:PutObjectLegalHold',
  handle: async (context) => {
    if (!context.bucket.settings.isLockEnabled) throw withoutLock();
    const isLegalHold = parseLegalHold(await context.xml(lockXmlBytesMax));
    const version = await context.gateway.objects.setLock(versionRef(context), (lock) => ({ ...lock, isLegalHold }), {
      actor: context.actor,
      bypassGovernance: false,
    });
    return { status: 200, headers: versionHeaders(context, version) };
  },
};

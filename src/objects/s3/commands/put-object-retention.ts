import { isBypassing } from '../bypass.ts';
import type { S3Command } from '../command.ts';
import { withRetention, withoutLock } from '../lock-rules.ts';
import { lockXmlBytesMax, parseRetention } from '../lock-xml.ts';
import { versionHeaders, versionRef } from './subject.ts';

export const putObjectRetention: S3Command = {
  name: 'PutObjectRetention',
  method: 'PUT',
  resource: 'object',
  selectedBy: ['retention'],
  alsoTakes: ['versionId'],
  action: 's3:PutObjectRetention',
  handle: async (context) => {
    if (!context.bucket.settings.isLockEnabled) throw withoutLock();
    const { nowMs } = context;
    const retention = parseRetention(await context.xml(lockXmlBytesMax), nowMs);
    const isBypassed = isBypassing(context);
    if (isBypassed) await context.require('s3:BypassGovernanceRetention');
    const version = await context.gateway.objects.setLock(
      versionRef(context),
      (lock) => withRetention(lock, retention, { nowMs, isBypassing: isBypassed }),
      { actor: context.actor, bypassGovernance: isBypassed },
    );
    return { status: 200, headers: versionHeaders(context, version) };
  },
};

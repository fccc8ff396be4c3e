import type { S3Command } from '../command.ts';
import { parseConditions } from '../conditions.ts';
import { isBypassing } from '../bypass.ts';
import { versionRef } from './subject.ts';

export const deleteObject: S3Command = {
  name: 'DeleteObject',
  method: 'DELETE',
  resource: 'object',
  selectedBy: [],
  alsoTakes: ['versionId'],
  action: ({ query }) => (query.has('versionId') ? 's3:DeleteObjectVersion' : 's3:DeleteObject'),
  handle: async (context) => {
    const { gateway, actor } = context;
    const conditions = parseConditions((name) => context.header(name));
    const bypassGovernance = isBypassing(context);
    if (bypassGovernance) await context.require('s3:BypassGovernanceRetention');
    const removal = await gateway.objects.remove(versionRef(context), { actor, conditions, bypassGovernance });
    const headers: Record<string, string> = {};
    if (removal.isMarker) headers['x-amz-delete-marker'] = 'true';
    if (removal.versionId !== null && context.bucket.settings.versioning !== 'off') {
      headers['x-amz-version-id'] = removal.versionId;
    }
    return { status: 204, headers };
  },
};

import type { S3Command } from '../command.ts';
import { versionHeaders, versionRef } from './subject.ts';

export const deleteObjectTagging: S3Command = {
  name: 'DeleteObjectTagging',
  method: 'DELETE',
  resource: 'object',
  selectedBy: ['tagging'],
  alsoTakes: ['versionId'],
  action: ({ query }) => (query.has('versionId') ? 's3:DeleteObjectVersionTagging' : 's3:DeleteObjectTagging'),
  handle: async (context) => {
    const version = await context.gateway.objects.setTags(versionRef(context), {}, context.actor);
    return { status: 204, headers: versionHeaders(context, version) };
  },
};

import type { S3Command } from '../command.ts';
import { parseTagging, tagsPerObjectMax, tagsXmlBytesMax } from '../tags.ts';
import { versionHeaders, versionRef } from './subject.ts';

export const putObjectTagging: S3Command = {
  name: 'PutObjectTagging',
  method: 'PUT',
  resource: 'object',
  selectedBy: ['tagging'],
  alsoTakes: ['versionId'],
  action: ({ query }) => (query.has('versionId') ? 's3:PutObjectVersionTagging' : 's3:PutObjectTagging'),
  handle: async (context) => {
    const tags = parseTagging(await context.xml(tagsXmlBytesMax), tagsPerObjectMax);
    const version = await context.gateway.objects.setTags(versionRef(context), tags, context.actor);
    return { status: 200, headers: versionHeaders(context, version) };
  },
};

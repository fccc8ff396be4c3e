import type { S3Command } from '../command.ts';
import { writeTagging } from '../tags.ts';
import { statSubject, versionHeaders } from './subject.ts';

export const getObjectTagging: S3Command = {
  name: 'GetObjectTagging',
  method: 'GET',
  resource: 'object',
  selectedBy: ['tagging'],
  alsoTakes: ['versionId'],
  action: ({ query }) => (query.has('versionId') ? 's3:GetObjectVersionTagging' : 's3:GetObjectTagging'),
  handle: async (context) => {
    const version = await statSubject(context);
    return { status: 200, headers: versionHeaders(context, version), body: writeTagging(version.tags) };
  },
};

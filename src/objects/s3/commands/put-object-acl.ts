import type { S3Command } from '../command.ts';
import { requirePrivate } from './private-acl.ts';
import { statSubject, versionHeaders } from './subject.ts';

export const putObjectAcl: S3Command = {
  name: 'PutObjectAcl',
  method: 'PUT',
  resource: 'object',
  selectedBy: ['acl'],
  alsoTakes: ['versionId'],
  action: ({ query }) => (query.has('versionId') ? 's3:PutObjectVersionAcl' : 's3:PutObjectAcl'),
  handle: async (context) => {
    const version = await statSubject(context);
    await requirePrivate(context, context.bucket.owner);
    return { status: 200, headers: versionHeaders(context, version) };
  },
};

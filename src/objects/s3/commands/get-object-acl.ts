import { writeAcl } from '../acl.ts';
import type { S3Command } from '../command.ts';
import { statSubject, versionHeaders } from './subject.ts';

/** Objects belong to the owner of their bucket, whoever wrote them. */
export const getObjectAcl: S3Command = {
  name: 'GetObjectAcl',
  method: 'GET',
  resource: 'object',
  selectedBy: ['acl'],
  alsoTakes: ['versionId'],
  action: ({ query }) => (query.has('versionId') ? 's3:GetObjectVersionAcl' : 's3:GetObjectAcl'),
  handle: async (context) => {
    const version = await statSubject(context);
    return { status: 200, headers: versionHeaders(context, version), body: writeAcl(context.bucket.owner) };
  },
};

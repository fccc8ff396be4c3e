import type { S3Command } from '../command.ts';
import { parseConditions } from '../conditions.ts';
import { readDescription, writtenHeaders } from '../writing.ts';

export const putObject: S3Command = {
  name: 'PutObject',
  method: 'PUT',
  resource: 'object',
  selectedBy: [],
  alsoTakes: [],
  action: 's3:PutObject',
  handle: async (context) => {
    const { gateway, bucket, key, actor } = context;
    const described = await readDescription(context);
    const conditions = parseConditions((name) => context.header(name));
    const incoming = await context.incoming();
    const version = await gateway.objects.put({
      ...incoming,
      ...described,
      bucket: bucket.name,
      key,
      conditions,
      actor,
    });
    return { status: 200, headers: writtenHeaders(context, version, described.encryption) };
  },
};

import type { S3Command } from '../command.ts';
import { corsXmlBytesMax, parseCors } from '../cors-rules.ts';
import { changeSettings } from './settings.ts';

export const putBucketCors: S3Command = {
  name: 'PutBucketCors',
  method: 'PUT',
  resource: 'bucket',
  selectedBy: ['cors'],
  alsoTakes: [],
  action: 's3:PutBucketCORS',
  handle: async (context) => {
    const cors = parseCors(await context.xml(corsXmlBytesMax));
    await changeSettings(context, (settings) => ({ ...settings, cors }));
    return { status: 200 };
  },
};

import { accessBlockXmlBytesMax, parseAccessBlock } from '../access-block.ts';
import type { S3Command } from '../command.ts';
import { changeSettings } from './settings.ts';

export const putPublicAccessBlock: S3Command = {
  name: 'PutPublicAccessBlock',
  method: 'PUT',
  resource: 'bucket',
  selectedBy: ['publicAccessBlock'],
  alsoTakes: [],
  action: 's3:PutBucketPublicAccessBlock',
  handle: async (context) => {
    const isAccessBlocked = parseAccessBlock(await context.xml(accessBlockXmlBytesMax));
    await changeSettings(context, (settings) => ({ ...settings, isAccessBlocked }));
    return { status: 200 };
  },
};

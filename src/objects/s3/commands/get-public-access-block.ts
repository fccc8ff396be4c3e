import { objectError } from '../../errors.ts';
import { writeAccessBlock } from '../access-block.ts';
import type { S3Command } from '../command.ts';

export const getPublicAccessBlock: S3Command = {
  name: 'GetPublicAccessBlock',
  method: 'GET',
  resource: 'bucket',
  selectedBy: ['publicAccessBlock'],
  alsoTakes: [],
  action: 's3:GetBucketPublicAccessBlock',
  handle: async ({ bucket }) => {
    const { isAccessBlocked } = bucket.settings;
    if (isAccessBlocked === undefined) {
      throw objectError('NoSuchPublicAccessBlockConfiguration', { bucket: bucket.name });
    }
    return { status: 200, body: writeAccessBlock(isAccessBlocked) };
  },
};

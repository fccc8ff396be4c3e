import { objectError } from '../../errors.ts';
import type { S3Command } from '../command.ts';
import { writeTagging } from '../tags.ts';

export const getBucketTagging: S3Command = {
  name: 'GetBucketTagging',
  method: 'GET',
  resource: 'bucket',
  selectedBy: ['tagging'],
  alsoTakes: [],
  action: 's3:GetBucketTagging',
  handle: async ({ bucket }) => {
    const { tags } = bucket.settings;
    if (tags === undefined) throw objectError('NoSuchTagSet', { bucket: bucket.name });
    return { status: 200, body: writeTagging(tags) };
  },
};

import type { S3Command } from '../command.ts';
import { parseTagging, tagsPerBucketMax, tagsXmlBytesMax } from '../tags.ts';
import { changeSettings, removeSetting } from './settings.ts';

export const putBucketTagging: S3Command = {
  name: 'PutBucketTagging',
  method: 'PUT',
  resource: 'bucket',
  selectedBy: ['tagging'],
  alsoTakes: [],
  action: 's3:PutBucketTagging',
  handle: async (context) => {
    const tags = parseTagging(await context.xml(tagsXmlBytesMax), tagsPerBucketMax);
    // An empty set and none at all are the same.
    if (Object.keys(tags).length === 0) await removeSetting(context, 'tags');
    else await changeSettings(context, (settings) => ({ ...settings, tags }));
    return { status: 204 };
  },
};

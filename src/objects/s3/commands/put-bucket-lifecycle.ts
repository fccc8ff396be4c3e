import type { S3Command } from '../command.ts';
import { lifecycleXmlBytesMax, parseLifecycle } from '../lifecycle-rules.ts';
import { writeLifecycle } from '../lifecycle-xml.ts';
import { writeDocument } from '../xml/writer.ts';
import { changeSettings } from './settings.ts';

export const putBucketLifecycleConfiguration: S3Command = {
  name: 'PutBucketLifecycleConfiguration',
  method: 'PUT',
  resource: 'bucket',
  selectedBy: ['lifecycle'],
  alsoTakes: [],
  action: 's3:PutLifecycleConfiguration',
  handle: async (context) => {
    const rules = parseLifecycle(await context.xml(lifecycleXmlBytesMax));
    for (const { transitions = [], noncurrentTransitions = [] } of rules) {
      // A rule that is kept and never carried out would be worse than none.
      for (const one of [...transitions, ...noncurrentTransitions]) {
        context.gateway.objects.checkStorageClass(one.storageClass);
      }
    }
    // Written anew, so that what is kept has the IDs that rules were given, and nothing that was not understood.
    const lifecycle = writeDocument(writeLifecycle(rules));
    await changeSettings(context, (settings) => ({ ...settings, lifecycle }));
    return { status: 200 };
  },
};

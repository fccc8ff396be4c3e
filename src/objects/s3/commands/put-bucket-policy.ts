import { parsePolicy, policyBytesMax } from '../../access/policy/parse.ts';
import { isPublicPolicy } from '../../access/policy/public.ts';
import { objectError } from '../../errors.ts';
import type { S3Command } from '../command.ts';
import { changeSettings } from './settings.ts';

export const putBucketPolicy: S3Command = {
  name: 'PutBucketPolicy',
  method: 'PUT',
  resource: 'bucket',
  selectedBy: ['policy'],
  alsoTakes: [],
  action: 's3:PutBucketPolicy',
  handle: async (context) => {
    const text = await context.text(policyBytesMax);
    const isPublic = isPublicPolicy(parsePolicy(text, context.bucket.name));
    await changeSettings(context, (settings) => {
      if (isPublic && settings.isAccessBlocked === true) {
        throw objectError(
          'AccessDenied',
          {},
          'The policy is public, and the public access block of the bucket forbids that.',
        );
      }
      return { ...settings, policy: text };
    });
    return { status: 204 };
  },
};

import { parsePolicy } from '../../access/policy/parse.ts';
import { isPublicPolicy } from '../../access/policy/public.ts';
import type { S3Command } from '../command.ts';

/** A bucket without a policy is not public, and says so. */
export const getBucketPolicyStatus: S3Command = {
  name: 'GetBucketPolicyStatus',
  method: 'GET',
  resource: 'bucket',
  selectedBy: ['policyStatus'],
  alsoTakes: [],
  action: 's3:GetBucketPolicyStatus',
  handle: async ({ bucket }) => {
    const { policy } = bucket.settings;
    const isPublic = policy !== undefined && isPublicPolicy(parsePolicy(policy, bucket.name));
    const children = [{ name: 'IsPublic', text: String(isPublic) }];
    return { status: 200, body: { name: 'PolicyStatus', children } };
  },
};

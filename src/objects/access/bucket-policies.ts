import type { Bucket } from '../bucket.ts';
import type { AccessRequest } from './access.ts';
import { policyActionOf } from './actions.ts';
import type { PolicyVerdict } from './decide.ts';
import { evaluatePolicy } from './policy/evaluate.ts';
import { parsePolicy } from './policy/parse.ts';
import type { Policy } from './policy/policy.ts';
import { isPublicPolicy } from './policy/public.ts';

interface Parsed {
  readonly text: string;
  readonly isAccessBlocked: boolean;
  /** `null` for a text that is no policy. */
  readonly policy: Policy | null;
}

/** A policy has at most 20 KB, so these take little. */
const policiesMax = 500;

/** The policies of buckets, each read once as long as it stays the same; the least recently used goes first. */
export class BucketPolicies {
  readonly #parsed = new Map<string, Parsed>();

  /** What the policy of the bucket says. Policies are checked when they are set; one that cannot be read denies all. */
  verdict(bucket: Bucket, { user, action, key, context }: AccessRequest): PolicyVerdict {
    const { policy: text, isAccessBlocked = false } = bucket.settings;
    if (text === undefined) return 'none';
    const { policy } = this.#of(bucket.name, text, isAccessBlocked);
    if (policy === null) return 'deny';
    const principal = user === null ? null : { name: user.name };
    const resource = { bucket: bucket.name, key };
    return evaluatePolicy(policy, { principal, action: policyActionOf(action), resource, context });
  }

  /** The text is compared, not the bucket's version: a bucket that was deleted and made again begins to count anew. */
  #of(bucket: string, text: string, isAccessBlocked: boolean): Parsed {
    const known = this.#parsed.get(bucket);
    const isSame = known !== undefined && known.text === text && known.isAccessBlocked === isAccessBlocked;
    const parsed = isSame ? known : { text, isAccessBlocked, policy: parse(bucket, text, isAccessBlocked) };
    this.#parsed.delete(bucket);
    this.#parsed.set(bucket, parsed);
    if (this.#parsed.size > policiesMax) this.#parsed.delete(this.#parsed.keys().next().value!);
    return parsed;
  }
}

function parse(bucket: string, text: string, isAccessBlocked: boolean): Policy | null {
  let policy: Policy;
  try {
    policy = parsePolicy(text, bucket);
  } catch {
    return null;
  }
  return isAccessBlocked ? withoutPublicAllows(policy) : policy;
}

function withoutPublicAllows(policy: Policy): Policy {
  const statements = policy.statements.filter((statement) => !isPublicPolicy({ ...policy, statements: [statement] }));
  return { ...policy, statements };
}

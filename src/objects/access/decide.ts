import type { AccessRequest, Permission } from './access.ts';
import { isPolicyAction, needOf } from './actions.ts';
import { everyBucket } from './permission-list.ts';

/** What a bucket's policy says of a request: nothing, or one of two things. */
export type PolicyVerdict = 'allow' | 'deny' | 'none';

/** What is known of a user. */
export interface Profile {
  readonly isAdmin: boolean;
  readonly grants: ReadonlyMap<string, readonly Permission[]>;
}

/**
 * Whether a request is allowed. In this order:
 *
 * 1. An action that is not known is nobody's.
 * 2. The owner may always read and change the bucket's policy.
 * 3. What the policy denies is denied, and what it allows is allowed; without a signature nothing else counts, and how
 *    the bucket works stays out of reach whatever a policy with wildcards says.
 * 4. The owner and admins may do the rest; others what they were granted.
 *
 * `profile` is `null` where it is not known: then nothing is allowed that needs it.
 */
export function isAllowed(request: AccessRequest, profile: Profile | null, verdict: PolicyVerdict): boolean {
  const { user, action, bucket } = request;
  const need = needOf(action);
  if (need === null) return false;
  const isOwner = user !== null && bucket !== null && bucket.owner === user.id;
  if (isOwner && isPolicyAction(action)) return true;
  if (verdict === 'deny') return false;
  if (user === null) return verdict === 'allow' && need !== 'owner' && need !== 'create' && need !== 'user';
  if (verdict === 'allow' || need === 'user' || isOwner || profile?.isAdmin === true) return true;
  if (profile === null || need === 'owner') return false;
  if (need === 'create') return permissionsOn(profile, everyBucket).includes('write');
  return bucket !== null && permissionsOn(profile, bucket.name).includes(need);
}

/** What was granted on a bucket; a grant of its own replaces the one on every bucket, also where it grants less. */
export function permissionsOn(profile: Profile, bucket: string): readonly Permission[] {
  return profile.grants.get(bucket) ?? profile.grants.get(everyBucket) ?? [];
}

import type { Access, User } from '../../access/access.ts';
import { objectError } from '../../errors.ts';
import { parsePostAuthorization, verifyPostSignature } from '../signature/post-form.ts';
import { signingKey } from '../signature/signing-key.ts';
import { type PostPolicy, parsePostPolicy } from './post-policy.ts';

/** Who lets a form upload, and what. */
export interface FormSigner {
  /** `null` for a form without a signature. */
  readonly user: User | null;
  readonly policy: PostPolicy | null;
}

/**
 * Finds out who signed a form's policy; nothing in the policy is looked at before. Throws `InvalidArgument`,
 * `InvalidAccessKeyId`, `SignatureDoesNotMatch` and `InvalidPolicyDocument`.
 */
export async function findSigner(access: Access, fields: ReadonlyMap<string, string>): Promise<FormSigner> {
  const claim = parsePostAuthorization(fields);
  if (claim.kind === 'anonymous') return { user: null, policy: null };
  const found = await access.findKey(claim.accessKey);
  if (found === null) throw objectError('InvalidAccessKeyId', { access_key: claim.accessKey });
  verifyPostSignature(claim, signingKey(found.secret, claim.scope));
  return { user: found.user, policy: parsePostPolicy(claim.policy) };
}

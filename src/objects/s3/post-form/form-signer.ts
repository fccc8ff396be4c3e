import type { Access, User } from '../../access/access.ts';
import { objectError } from '../../errors.ts';
import { parsePostAuthorization, verifyPostSignature } from '../signature/post-form.ts';
import { signingAlgorithm } from '../signature/signed-request.ts';
import { signatureVersion2 } from '../signature/version-2.ts';
import { type PostPolicy, parsePostPolicy } from './post-policy.ts';

/** Who lets a form upload, and what. */
export interface FormSigner {
  /** `null` for a form without a signature. */
  readonly user: User | null;
  /** As conditions of policies have it. */
  readonly signatureVersion: string | null;
  readonly policy: PostPolicy | null;
}

/**
 * Finds out who signed a form's policy; nothing in the policy is looked at before. Throws `InvalidArgument`,
 * `InvalidAccessKeyId`, `SignatureDoesNotMatch` and `InvalidPolicyDocument`.
 */
export async function findSigner(access: Access, fields: ReadonlyMap<string, string>): Promise<FormSigner> {
  const claim = parsePostAuthorization(fields);
  if (claim.kind === 'anonymous') return { user: null, signatureVersion: null, policy: null };
  const found = await access.findKey(claim.accessKey);
  if (found === null) throw objectError('InvalidAccessKeyId', { access_key: claim.accessKey });
  verifyPostSignature(claim, found.secret);
  const signatureVersion = claim.scope === null ? signatureVersion2 : signingAlgorithm;
  return { user: found.user, signatureVersion, policy: parsePostPolicy(claim.policy) };
}

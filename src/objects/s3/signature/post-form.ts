import { type KeyObject, timingSafeEqual } from 'node:crypto';
import { objectError } from '../../errors.ts';
import { parseAmzDate } from './amz-date.ts';
import { sign } from './canonical-request.ts';
import { parseCredential } from './credential.ts';
import { type CredentialScope, signingAlgorithm } from './signed-request.ts';
import { signingKey } from './signing-key.ts';
import { bytesOf } from './uri.ts';
import { isSignedV2 } from './version-2.ts';

/** What the fields of a POST form claim, before the signature is verified. */
export interface PostClaim {
  readonly kind: 'post';
  readonly accessKey: string;
  /** `null` with version 2. */
  readonly scope: CredentialScope | null;
  readonly signature: string;
  /** The policy as it came, in base64: the string that is signed. */
  readonly policy: string;
}

/**
 * Reads the signature of a POST form ("Browser-Based Uploads Using POST" in the Amazon S3 API reference) from its fields, by
 * name in lower case; also one of version 2, which boto3 still makes by default. A form without `policy` and signature is
 * anonymous. When the policy expires, and whether the form keeps it, is for the caller to check, after `verifyPostSignature`.
 * Throws `InvalidArgument` when a field is missing or malformed.
 */
export function parsePostAuthorization(
  fields: ReadonlyMap<string, string>,
): PostClaim | { readonly kind: 'anonymous' } {
  if (!fields.has('policy') && !fields.has('x-amz-signature')) return { kind: 'anonymous' };
  const policy = required(fields, 'policy');
  if (fields.has('awsaccesskeyid') && !fields.has('x-amz-algorithm')) {
    const accessKey = required(fields, 'awsaccesskeyid');
    return { kind: 'post', accessKey, scope: null, signature: required(fields, 'signature'), policy };
  }
  if (required(fields, 'x-amz-algorithm') !== signingAlgorithm) {
    throw invalid('x-amz-algorithm', `X-Amz-Algorithm only supports "${signingAlgorithm}".`);
  }
  const { accessKey, scope } = parseCredential(required(fields, 'x-amz-credential'), (sentence) =>
    invalid('x-amz-credential', sentence),
  );
  const amzDate = required(fields, 'x-amz-date');
  if (parseAmzDate(amzDate) === undefined || !amzDate.startsWith(scope.date)) {
    throw invalid('x-amz-date', 'X-Amz-Date must be in the ISO8601 Long Format and of the day of the credential.');
  }
  const signature = required(fields, 'x-amz-signature');
  if (!/^[0-9a-f]{64}$/.test(signature)) throw invalid('x-amz-signature', 'X-Amz-Signature is malformed.');
  return { kind: 'post', accessKey, scope, signature, policy };
}

/** Verifies a form's signature, which is over its policy as it came. Throws `SignatureDoesNotMatch`. */
export function verifyPostSignature({ accessKey, scope, policy, signature }: PostClaim, secret: string): void {
  // The field's characters beyond ASCII would be no base64; as UTF-8 no two policies share their bytes.
  const text = bytesOf(policy);
  const isMatch =
    scope === null
      ? isSignedV2(text, secret, signature)
      : timingSafeEqual(sign(signingKey(secret, scope), text), Buffer.from(signature, 'hex'));
  if (isMatch) return;
  throw objectError('SignatureDoesNotMatch', { access_key: accessKey, signature_provided: signature });
}

/** The signature of a policy in base64, in hexadecimal, for forms that we make. */
export function signPolicy(policy: string, key: KeyObject): string {
  return sign(key, policy).toString('hex');
}

function required(fields: ReadonlyMap<string, string>, name: string): string {
  const value = fields.get(name);
  if (value !== undefined && value !== '') return value;
  throw invalid(
    name,
    `Bucket POST must contain a field named '${name}'. If it is there, check the order of the fields.`,
  );
}

function invalid(field: string, message: string): Error {
  return objectError('InvalidArgument', { field }, message);
}

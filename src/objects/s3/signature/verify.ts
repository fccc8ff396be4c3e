import { type KeyObject, timingSafeEqual } from 'node:crypto';
import { objectError } from '../../errors.ts';
import { type CanonicalParts, canonicalRequest, sign, stringToSign } from './canonical-request.ts';
import { verifyPresignedV2 } from './presigned-v2.ts';
import { canonicalQuery } from './query.ts';
import type { PresignedV2Claim, SignatureClaim, SignedRequest } from './signed-request.ts';
import { signingKey } from './signing-key.ts';
import type { SigningKeyCache } from './signing-key-cache.ts';
import { canonicalPath } from './uri.ts';

/**
 * Verifies that who sent this request, from which `claim` was read, has the secret behind `key`, the signing key of the
 * claim's access key and scope. Throws `SignatureDoesNotMatch` otherwise. The comparison takes the same time for any wrong
 * signature; for an unknown access key, verify with the key of a secret that nobody has, and then refuse.
 *
 * Nothing is said here of the body: its hash, or its chunks, are for the caller to check against `claim.payloadHash`.
 */
export function verifySignature(claim: SignatureClaim, request: SignedRequest, key: KeyObject): void {
  const { headers, signedHeaders, payloadHash } = claim;
  const path = canonicalPath(request.rawPath);
  const parts = {
    method: request.method,
    path,
    query: canonicalQuery(request.rawQuery),
    headers,
    signedHeaders,
    payloadHash,
  };
  // A header that was signed and is gone is not the same as an empty one.
  const isComplete = signedHeaders.every((name) => headers.has(name));
  // Most signers take the path as they will send it (botocore and the JavaScript SDK among them), others encode it as the
  // documentation has it. The two differ only where a client sends an odd encoding, and then mean the same path.
  const paths = path === request.rawPath ? [path] : [path, request.rawPath];
  if (isComplete && paths.some((candidate) => matches(claim, { ...parts, path: candidate }, key))) return;
  const canonical = canonicalRequest(parts);
  throw objectError('SignatureDoesNotMatch', {
    access_key: claim.accessKey,
    canonical_request: canonical,
    string_to_sign: stringToSign(claim.amzDate, claim.scope, canonical),
    signature_provided: claim.signature,
  });
}

/**
 * The same from a secret. The signing key comes from `cache`, or is derived, and kept there once it has verified a request.
 * Returns it, since signed chunks go on with it; `null` for version 2, which has no such key.
 */
export function verifyWithSecret(
  claim: SignatureClaim | PresignedV2Claim,
  request: SignedRequest,
  secret: string,
  cache: SigningKeyCache,
): KeyObject | null {
  if (claim.kind === 'presigned-v2') {
    verifyPresignedV2(claim, secret);
    return null;
  }
  const { accessKey, scope } = claim;
  const known = cache.find(accessKey, secret, scope);
  const key = known ?? signingKey(secret, scope);
  verifySignature(claim, request, key);
  if (known === undefined) cache.keep(accessKey, secret, scope, key);
  return key;
}

function matches(claim: SignatureClaim, parts: CanonicalParts, key: KeyObject): boolean {
  const expected = sign(key, stringToSign(claim.amzDate, claim.scope, canonicalRequest(parts)));
  return timingSafeEqual(expected, Buffer.from(claim.signature, 'hex'));
}

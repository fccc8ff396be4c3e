import { objectError } from '../../errors.ts';
import { readHeaderClaim } from './header-form.ts';
import { foldHeaders } from './headers.ts';
import { readPlainPayload } from './payload-hash.ts';
import { readPresignedClaim } from './presigned-form.ts';
import { isPresignedV2, readPresignedV2Claim } from './presigned-v2.ts';
import { parseQuery } from './query.ts';
import type { Authorization, SignatureClaim, SignedRequest } from './signed-request.ts';

const presignedParameters = /^X-Amz-(?:Algorithm|Credential|Signature)$/;

/**
 * What a request says of who sent it, in any form of AWS Signature Version 4 for S3 ("Authenticating Requests" in the Amazon
 * S3 API reference) or by a presigned URL of version 2. Nothing is verified but form, time and that all is signed which must
 * be: `verifyWithSecret` does the rest.
 *
 * `nowMs` is the server's time; a header's signature is good for 15 minutes around its time, a presigned one from its time
 * (15 minutes earlier, for clocks that differ) until it expires.
 *
 * Throws, as AWS does: `AuthorizationHeaderMalformed`, `AuthorizationQueryParametersError`, `InvalidArgument` and
 * `InvalidRequest` for what is malformed or of another scheme, `InvalidURI`, `RequestTimeTooSkewed`, and `AccessDenied` when
 * it expired, has no date, or leaves the host or an `x-amz-` header unsigned.
 */
export function parseAuthorization(request: SignedRequest, nowMs: number): Authorization {
  const headers = foldHeaders(request.rawHeaders);
  const header = headers.get('authorization') ?? '';
  const query = request.rawQuery === '' ? [] : parseQuery(request.rawQuery);
  const isPresigned = query.some(([name]) => presignedParameters.test(name));
  if (header !== '' && (isPresigned || isPresignedV2(query))) {
    const message = 'Only one auth mechanism allowed: the Authorization header or the parameters of a presigned URL.';
    throw objectError('InvalidArgument', { field: 'authorization' }, message);
  }
  if (isPresigned) return withAllSigned(readPresignedClaim(query, headers, nowMs));
  if (header !== '') return withAllSigned(readHeaderClaim(header, headers, nowMs));
  if (isPresignedV2(query)) return readPresignedV2Claim(request, query, nowMs);
  return { kind: 'anonymous', headers, ...readPlainPayload(headers) };
}

/** An `x-amz-` header that is not signed could have been put there by anybody. */
function withAllSigned(claim: SignatureClaim): SignatureClaim {
  const signed = new Set(claim.signedHeaders);
  const unsigned = [...claim.headers.keys()].filter((name) => !signed.has(name) && mustBeSigned(name, claim));
  if (!signed.has('host')) unsigned.push('host');
  if (unsigned.length === 0) return claim;
  const message = 'There were headers present in the request which were not signed.';
  throw objectError('AccessDenied', { headers_not_signed: unsigned.join(', ') }, message);
}

/** In the header's form the payload's hash is signed as the last line of the canonical request, and S3 asks no more. */
function mustBeSigned(name: string, { kind }: SignatureClaim): boolean {
  return name.startsWith('x-amz-') && !(kind === 'header' && name === 'x-amz-content-sha256');
}

import { objectError } from '../../errors.ts';
import { readHeaderClaim } from './header-form.ts';
import { foldHeaders } from './headers.ts';
import { parsePayloadHash, unsignedPayload } from './payload-hash.ts';
import { readPresignedClaim } from './presigned-form.ts';
import { parseQuery } from './query.ts';
import type { AnonymousRequest, Authorization, SignatureClaim, SignedRequest } from './signed-request.ts';

const presignedParameters = /^X-Amz-(?:Algorithm|Credential|Signature)$/;
const version2Parameters = /^(?:AWSAccessKeyId|Signature)$/;

/**
 * What a request says of who sent it, in any form of AWS Signature Version 4 for S3 ("Authenticating Requests" in the Amazon
 * S3 API reference). Nothing is verified but form, time and that all is signed which must be: `verifySignature` does the rest.
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
  if (isPresigned && header !== '') {
    const message = 'Only one auth mechanism allowed: the Authorization header or the X-Amz- query parameters.';
    throw objectError('InvalidArgument', { field: 'authorization' }, message);
  }
  if (isPresigned) return withAllSigned(readPresignedClaim(query, headers, nowMs), headers);
  if (header !== '') return withAllSigned(readHeaderClaim(header, headers, nowMs), headers);
  if (query.some(([name]) => version2Parameters.test(name))) {
    const message = 'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.';
    throw objectError('InvalidRequest', {}, message);
  }
  return anonymous(headers);
}

/** An `x-amz-` header that is not signed could have been put there by anybody. */
function withAllSigned(claim: SignatureClaim, headers: ReadonlyMap<string, string>): SignatureClaim {
  const signed = new Set(claim.signedHeaders);
  const unsigned = [...headers.keys()].filter((name) => !signed.has(name) && mustBeSigned(name, claim));
  if (!signed.has('host')) unsigned.push('host');
  if (unsigned.length === 0) return claim;
  const message = 'There were headers present in the request which were not signed.';
  throw objectError('AccessDenied', { headers_not_signed: unsigned.join(', ') }, message);
}

/** In the header's form the payload's hash is signed as the last line of the canonical request, and S3 asks no more. */
function mustBeSigned(name: string, { kind }: SignatureClaim): boolean {
  return name.startsWith('x-amz-') && !(kind === 'header' && name === 'x-amz-content-sha256');
}

function anonymous(headers: ReadonlyMap<string, string>): AnonymousRequest {
  const payloadHash = headers.get('x-amz-content-sha256') ?? unsignedPayload;
  const payload = parsePayloadHash(payloadHash);
  if (payload === 'signed-chunks' || payload === 'signed-chunks-trailer') {
    const message = 'The chunks of a request without a signature cannot be signed.';
    throw objectError('AccessDenied', { field: 'x-amz-content-sha256' }, message);
  }
  return { kind: 'anonymous', payloadHash, payload };
}

import type { HoldfastError } from '../../../kernel/errors/errors.ts';
import { objectError } from '../../errors.ts';
import { formatAmzDate, parseAmzDate, parseHttpDate } from './amz-date.ts';
import { parseCredential, parseSignedHeaders } from './credential.ts';
import { parsePayloadHash } from './payload-hash.ts';
import { type SignatureClaim, signingAlgorithm } from './signed-request.ts';

/** How far the clocks of client and server may differ, in milliseconds, as AWS has it. */
export const clockSkewMs = 15 * 60 * 1000;

/** Reads the `Authorization` header: `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`. */
export function readHeaderClaim(
  authorization: string,
  headers: ReadonlyMap<string, string>,
  nowMs: number,
): SignatureClaim {
  const components = readComponents(authorization);
  const { accessKey, scope } = parseCredential(component(components, 'Credential'), malformed);
  const signedHeaders = parseSignedHeaders(component(components, 'SignedHeaders'), malformed);
  const signature = component(components, 'Signature');
  if (!/^[0-9a-f]{64}$/.test(signature)) throw malformed('the Signature is malformed.');
  const { timeMs, amzDate } = readTime(headers);
  if (!amzDate.startsWith(scope.date)) {
    throw malformed('Invalid credential date. Date is not the same as X-Amz-Date.');
  }
  if (Math.abs(nowMs - timeMs) > clockSkewMs) {
    throw objectError('RequestTimeTooSkewed', {
      request_time: amzDate,
      server_time: new Date(nowMs).toISOString(),
      maximum_skew_ms: clockSkewMs,
    });
  }
  const payloadHash = headers.get('x-amz-content-sha256');
  if (payloadHash === undefined) {
    const message = 'Missing required header for this request: x-amz-content-sha256.';
    throw objectError('InvalidRequest', { field: 'x-amz-content-sha256' }, message);
  }
  const payload = parsePayloadHash(payloadHash);
  return { kind: 'header', accessKey, scope, signedHeaders, signature, amzDate, timeMs, headers, payloadHash, payload };
}

function readComponents(authorization: string): ReadonlyMap<string, string> {
  const space = authorization.indexOf(' ');
  const scheme = space === -1 ? authorization : authorization.slice(0, space);
  if (scheme !== signingAlgorithm) throw otherScheme(scheme, authorization);
  const components = new Map<string, string>();
  for (const part of authorization.slice(space + 1).split(',', 8)) {
    const [name, ...value] = part.trim().split('=');
    if (name === undefined || value.length === 0) throw malformed('an authorization component is malformed.');
    if (components.has(name)) throw malformed('an authorization component stands there twice.');
    components.set(name, value.join('='));
  }
  if (components.size !== 3) {
    throw malformed('the header requires three components: Credential, SignedHeaders, and Signature.');
  }
  return components;
}

function component(components: ReadonlyMap<string, string>, name: string): string {
  const value = components.get(name);
  if (value === undefined) throw malformed(`missing ${name}.`);
  return value;
}

/** `x-amz-date` goes before `Date`, which browsers and proxies set as they like. */
function readTime(headers: ReadonlyMap<string, string>): { readonly timeMs: number; readonly amzDate: string } {
  const text = headers.get('x-amz-date') ?? headers.get('date') ?? '';
  const timeMs = parseAmzDate(text);
  if (timeMs !== undefined) return { timeMs, amzDate: text };
  const httpTimeMs = headers.has('x-amz-date') ? undefined : parseHttpDate(text);
  if (httpTimeMs !== undefined) return { timeMs: httpTimeMs, amzDate: formatAmzDate(httpTimeMs) };
  throw objectError('AccessDenied', {}, 'AWS authentication requires a valid Date or x-amz-date header.');
}

function otherScheme(scheme: string, authorization: string): HoldfastError {
  const details = { field: 'authorization' };
  const isVersion2 = scheme === 'AWS' && authorization.includes(':');
  if (isVersion2 || scheme.startsWith('AWS4-')) {
    const message = `The authorization mechanism you have provided is not supported. Please use ${signingAlgorithm}.`;
    return objectError('InvalidRequest', details, message);
  }
  if (scheme === 'AWS') return objectError('InvalidArgument', details, 'The authorization header is invalid.');
  return objectError('InvalidArgument', details, 'Unsupported Authorization Type.');
}

function malformed(sentence: string): HoldfastError {
  return objectError('AuthorizationHeaderMalformed', {}, `The authorization header is malformed; ${sentence}`);
}

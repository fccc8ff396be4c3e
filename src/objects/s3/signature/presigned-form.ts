import type { HoldfastError } from '../../../kernel/errors/errors.ts';
import { objectError } from '../../errors.ts';
import { parseAmzDate } from './amz-date.ts';
import { parseCredential, parseSignedHeaders } from './credential.ts';
import { clockSkewMs } from './header-form.ts';
import { parsePayloadHash, unsignedPayload } from './payload-hash.ts';
import { signatureParameter } from './query.ts';
import { type SignatureClaim, signingAlgorithm } from './signed-request.ts';

/** How long a presigned URL may be good, in seconds: seven days. */
export const presignSecondsMax = 604_800;

type Query = readonly (readonly [name: string, value: string])[];

/** Reads a presigned URL ("Authenticating Requests: Using Query Parameters" in the Amazon S3 API reference). */
export function readPresignedClaim(query: Query, headers: ReadonlyMap<string, string>, nowMs: number): SignatureClaim {
  if (required(query, 'X-Amz-Algorithm') !== signingAlgorithm) {
    throw malformed(`X-Amz-Algorithm only supports "${signingAlgorithm}".`);
  }
  const { accessKey, scope } = parseCredential(required(query, 'X-Amz-Credential'), (sentence) =>
    malformed(`Error parsing the X-Amz-Credential parameter; ${sentence}`),
  );
  const signedHeaders = parseSignedHeaders(required(query, 'X-Amz-SignedHeaders'), malformed);
  const signature = required(query, signatureParameter);
  if (!/^[0-9a-f]{64}$/.test(signature)) throw malformed('X-Amz-Signature must be 64 hexadecimal digits.');
  const amzDate = required(query, 'X-Amz-Date');
  const timeMs = parseAmzDate(amzDate);
  if (timeMs === undefined) {
    throw malformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\".");
  }
  if (!amzDate.startsWith(scope.date)) {
    throw malformed(`Invalid credential date "${scope.date}". This date is not the same as X-Amz-Date: "${amzDate}".`);
  }
  assertTime(timeMs, parseExpires(required(query, 'X-Amz-Expires')), nowMs);
  const payloadHash = readPayloadHash(query, headers, signedHeaders);
  const payload = parsePayloadHash(payloadHash);
  return {
    kind: 'presigned',
    accessKey,
    scope,
    signedHeaders,
    signature,
    amzDate,
    timeMs,
    headers,
    payloadHash,
    payload,
  };
}

function optional(query: Query, wanted: string): string | undefined {
  const [value, second] = query.filter(([name]) => name === wanted).map(([, found]) => found);
  if (second !== undefined) throw malformed(`${wanted} stands there twice.`);
  return value;
}

function required(query: Query, name: string): string {
  const value = optional(query, name);
  if (value !== undefined && value !== '') return value;
  const names =
    'X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires';
  throw malformed(`Query-string authentication version 4 requires the ${names} parameters.`);
}

function parseExpires(text: string): number {
  if (!/^-?\d{1,12}$/.test(text)) throw malformed('X-Amz-Expires should be a number.');
  const seconds = Number(text);
  if (seconds < 1) throw malformed('X-Amz-Expires must be at least one second.');
  if (seconds > presignSecondsMax) {
    throw malformed(`X-Amz-Expires must be less than a week (in seconds); that is, at most ${presignSecondsMax}.`);
  }
  return seconds;
}

function assertTime(timeMs: number, expiresSeconds: number, nowMs: number): void {
  const times = { server_time: new Date(nowMs).toISOString(), expires_seconds: expiresSeconds };
  const expiresMs = timeMs + expiresSeconds * 1000;
  if (nowMs > expiresMs) {
    throw objectError('AccessDenied', { ...times, expires: new Date(expiresMs).toISOString() }, 'Request has expired.');
  }
  if (nowMs < timeMs - clockSkewMs) throw objectError('AccessDenied', times, 'Request is not valid yet.');
}

/** A URL that is made before its body is known says nothing of it; some signers say even that as a parameter. */
function readPayloadHash(query: Query, headers: ReadonlyMap<string, string>, signedHeaders: readonly string[]): string {
  const parameter = optional(query, 'X-Amz-Content-Sha256');
  const header = signedHeaders.includes('x-amz-content-sha256') ? headers.get('x-amz-content-sha256') : undefined;
  if (parameter !== undefined && header !== undefined && parameter !== header) {
    throw malformed('X-Amz-Content-Sha256 is not the same as the x-amz-content-sha256 header.');
  }
  return parameter ?? header ?? unsignedPayload;
}

function malformed(sentence: string): HoldfastError {
  return objectError('AuthorizationQueryParametersError', {}, sentence);
}

import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { formatAmzDate } from './amz-date.ts';
import { canonicalRequest, sign, stringToSign } from './canonical-request.ts';
import { foldHeaders } from './headers.ts';
import { unsignedPayload } from './payload-hash.ts';
import { presignSecondsMax } from './presigned-form.ts';
import { canonicalQuery, signatureParameter } from './query.ts';
import { type SignedRequest, formatScope, signingAlgorithm } from './signed-request.ts';
import { signingKey } from './signing-key.ts';
import type { SigningKeyCache } from './signing-key-cache.ts';
import { canonicalPath, encodeQueryPart } from './uri.ts';

export interface SigningCredentials {
  readonly accessKey: string;
  readonly secret: string;
  readonly region: string;
  /** Of temporary credentials. */
  readonly sessionToken?: string;
}

export interface HeaderSigning {
  readonly timeMs: number;
  /** The body's SHA-256 in hexadecimal, or `UNSIGNED-PAYLOAD`. */
  readonly payloadHash: string;
}

export interface Presigning {
  readonly timeMs: number;
  /** 1 to 604,800. */
  readonly expiresSeconds: number;
}

/** What is set or changed between a client and a server. */
const unsignedHeaders: ReadonlySet<string> = new Set([
  'accept-encoding',
  'connection',
  'content-length',
  'expect',
  'te',
  'transfer-encoding',
  'user-agent',
]);

/** What the signer sets itself. */
const ownHeaders: ReadonlySet<string> = new Set([
  'authorization',
  'x-amz-content-sha256',
  'x-amz-date',
  'x-amz-security-token',
]);

/**
 * Signs a request as it will stand on the wire, with an `Authorization` header. Returns all headers to send, in the form
 * of `rawHeaders`. The request must have its `Host`; what it has of the signature's own headers is replaced. Who signs often
 * keeps a `cache`, since deriving the key costs more than the rest.
 */
export function signRequest(
  request: SignedRequest,
  credentials: SigningCredentials,
  { timeMs, payloadHash }: HeaderSigning,
  cache?: SigningKeyCache,
): string[] {
  const amzDate = formatAmzDate(timeMs);
  const rawHeaders = without(request.rawHeaders, ownHeaders);
  rawHeaders.push('x-amz-date', amzDate, 'x-amz-content-sha256', payloadHash);
  if (credentials.sessionToken !== undefined) rawHeaders.push('x-amz-security-token', credentials.sessionToken);
  const headers = foldHeaders(without(rawHeaders, unsignedHeaders));
  const signedHeaders = signedNames(headers);
  const details = { amzDate, signedHeaders, payloadHash, headers };
  const signature = signatureOf(request, credentials, details, cache);
  const credential = credentialOf(credentials, amzDate);
  rawHeaders.push(
    'authorization',
    `${signingAlgorithm} Credential=${credential},SignedHeaders=${signedHeaders.join(';')},Signature=${signature}`,
  );
  return rawHeaders;
}

/**
 * Signs a URL. Returns its query, to stand after `?`: the request's own with the signature's parameters. All headers of
 * the request, `Host` among them, are signed, so that whoever uses the URL must send them. The body is not signed.
 */
export function presign(
  request: SignedRequest,
  credentials: SigningCredentials,
  { timeMs, expiresSeconds }: Presigning,
  cache?: SigningKeyCache,
): string {
  if (!Number.isInteger(expiresSeconds) || expiresSeconds < 1 || expiresSeconds > presignSecondsMax) {
    throw new HoldfastError('invalid', `A URL can be presigned for 1 to ${presignSecondsMax} seconds.`, {
      field: 'expires_seconds',
      provided_value: expiresSeconds,
    });
  }
  const amzDate = formatAmzDate(timeMs);
  const headers = foldHeaders(request.rawHeaders);
  const signedHeaders = signedNames(headers);
  const parameters: [name: string, value: string][] = [
    ['X-Amz-Algorithm', signingAlgorithm],
    ['X-Amz-Credential', credentialOf(credentials, amzDate)],
    ['X-Amz-Date', amzDate],
    ['X-Amz-Expires', String(expiresSeconds)],
    ['X-Amz-SignedHeaders', signedHeaders.join(';')],
  ];
  if (credentials.sessionToken !== undefined) parameters.push(['X-Amz-Security-Token', credentials.sessionToken]);
  const own = parameters.map(([name, value]) => `${name}=${encodeQueryPart(value)}`).join('&');
  const rawQuery = request.rawQuery === '' ? own : `${request.rawQuery}&${own}`;
  const details = { amzDate, signedHeaders, payloadHash: unsignedPayload, headers };
  const signature = signatureOf({ ...request, rawQuery }, credentials, details, cache);
  return `${rawQuery}&${signatureParameter}=${signature}`;
}

interface SignatureDetails {
  readonly amzDate: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly signedHeaders: readonly string[];
  readonly payloadHash: string;
}

function signatureOf(
  { method, rawPath, rawQuery }: SignedRequest,
  { accessKey, secret, region }: SigningCredentials,
  { amzDate, ...parts }: SignatureDetails,
  cache?: SigningKeyCache,
): string {
  const scope = { date: amzDate.slice(0, 8), region };
  const canonical = canonicalRequest({
    method,
    path: canonicalPath(rawPath),
    query: canonicalQuery(rawQuery),
    ...parts,
  });
  const known = cache?.find(accessKey, secret, scope);
  const key = known ?? signingKey(secret, scope);
  if (known === undefined) cache?.keep(accessKey, secret, scope, key);
  return sign(key, stringToSign(amzDate, scope, canonical)).toString('hex');
}

function credentialOf({ accessKey, region }: SigningCredentials, amzDate: string): string {
  return `${accessKey}/${formatScope({ date: amzDate.slice(0, 8), region })}`;
}

/** In byte order, as the canonical request wants them. */
function signedNames(headers: ReadonlyMap<string, string>): string[] {
  if (!headers.has('host')) throw new TypeError('a request to sign needs its Host header');
  return [...headers.keys()].sort();
}

function without(rawHeaders: readonly string[], names: ReadonlySet<string>): string[] {
  const kept: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!;
    if (!names.has(name.toLowerCase())) kept.push(name, rawHeaders[index + 1]!);
  }
  return kept;
}

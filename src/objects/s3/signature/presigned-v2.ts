import type { HoldfastError } from '../../../kernel/errors/errors.ts';
import { objectError } from '../../errors.ts';
import { hoistedHeader, operationKey } from '../query-keys.ts';
import { unfoldHeaders } from './headers.ts';
import { readPlainPayload } from './payload-hash.ts';
import type { PresignedV2Claim, SignedRequest } from './signed-request.ts';
import { bytesOf } from './uri.ts';
import { isSignedV2 } from './version-2.ts';

type Query = readonly (readonly [name: string, value: string])[];
type Headers = ReadonlyMap<string, string>;

/**
 * What no signer of version 2 takes into the resource: the signature itself, and what only pages through a listing. All
 * else is signed. AWS names instead what is, a list that ends with the sub-resources of its time; by it, a URL to read an
 * object would serve for `?retention` as well.
 */
const unsignedKeys: ReadonlySet<string> = new Set([
  'AWSAccessKeyId',
  'Expires',
  'Signature',
  operationKey,
  'bucket-region',
  'continuation-token',
  'delimiter',
  'encoding-type',
  'fetch-owner',
  'key-marker',
  'list-type',
  'marker',
  'max-buckets',
  'max-keys',
  'max-parts',
  'max-uploads',
  'part-number-marker',
  'prefix',
  'start-after',
  'upload-id-marker',
  'version-id-marker',
]);

export function isPresignedV2(query: Query): boolean {
  return query.some(([name]) => name === 'AWSAccessKeyId' || name === 'Signature');
}

/**
 * Reads a presigned URL of Signature Version 2 ("Query String Request Authentication Alternative" in "Signing and
 * Authenticating REST Requests", Amazon S3 API reference), which boto3 and s3cmd still make by default. It may be good for
 * as long as its signer likes. Throws `AccessDenied` when it is not complete or has expired, as AWS does.
 */
export function readPresignedV2Claim(request: SignedRequest, query: Query, nowMs: number): PresignedV2Claim {
  const accessKey = required(query, 'AWSAccessKeyId');
  const signature = required(query, 'Signature');
  const expires = required(query, 'Expires');
  if (!/^[!-~]{1,128}$/.test(accessKey)) throw objectError('InvalidAccessKeyId');
  if (!/^\d{1,15}$/.test(expires)) throw refused('Invalid date (should be seconds since epoch).');
  if (nowMs > Number(expires) * 1000) {
    throw refused('Request has expired.', { expires, server_time: new Date(nowMs).toISOString() });
  }
  const headers = withHoisted(query, unfoldHeaders(request.rawHeaders));
  const stringsToSign = resources(request, query).map((resource) => stringToSign(request, headers, expires, resource));
  return { kind: 'presigned-v2', accessKey, signature, stringsToSign, headers, ...readPlainPayload(headers) };
}

/** Verifies that the URL was signed with this secret. Throws `SignatureDoesNotMatch`. */
export function verifyPresignedV2({ accessKey, signature, stringsToSign }: PresignedV2Claim, secret: string): void {
  if (stringsToSign.some((text) => isSignedV2(text, secret, signature))) return;
  throw objectError('SignatureDoesNotMatch', {
    access_key: accessKey,
    string_to_sign: stringsToSign[0],
    signature_provided: signature,
  });
}

/** The headers as they take effect: a parameter stands for one that did not come. */
function withHoisted(query: Query, received: Headers): Headers {
  const headers = new Map(received);
  for (const [key, value] of query) {
    const name = hoistedHeader(key);
    if (name === undefined || headers.has(name)) continue;
    // In the string to sign a line break ends a header, so that the rest of the value could pass for another one.
    if (value.includes('\n')) throw objectError('InvalidArgument', { argument: name }, 'A header has no line breaks.');
    headers.set(name, bytesOf(value));
  }
  return headers;
}

function stringToSign({ method }: SignedRequest, headers: Headers, expires: string, resource: string): string {
  const lines = [method, headers.get('content-md5') ?? '', headers.get('content-type') ?? '', expires];
  // `Expires` stands for any date, so that no date is signed beside it.
  const names = [...headers.keys()].filter((name) => name.startsWith('x-amz-') && name !== 'x-amz-date').sort();
  for (const name of names) lines.push(`${name}:${headers.get(name)}`);
  return [...lines, resource].join('\n');
}

/**
 * The resource with its bucket, as on the wire, and with values as they are meant. The SDK for Python signs a bucket's path
 * with a slash at its end also where it sends none.
 */
function resources({ rawPath, hostBucket }: SignedRequest, query: Query): readonly string[] {
  const path = hostBucket === undefined ? rawPath : `/${hostBucket}${rawPath}`;
  const signed = query
    .filter(([name]) => !unsignedKeys.has(name) && hoistedHeader(name) === undefined)
    .map(([name, value]) => ({ name, text: bytesOf(value === '' ? name : `${name}=${value}`) }))
    // Several of one name stay in their order.
    .sort((one, other) => (one.name < other.name ? -1 : Number(one.name > other.name)))
    .map(({ text }) => text)
    .join('&');
  const end = signed === '' ? '' : `?${signed}`;
  return /^\/[^/]+$/.test(path) ? [path + end, `${path}/${end}`] : [path + end];
}

function required(query: Query, wanted: string): string {
  const [value, ...others] = query.filter(([name]) => name === wanted).map(([, found]) => found);
  if (value !== undefined && value !== '' && others.length === 0) return value;
  throw refused('Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters.');
}

function refused(sentence: string, details: Readonly<Record<string, string>> = {}): HoldfastError {
  return objectError('AccessDenied', details, sentence);
}

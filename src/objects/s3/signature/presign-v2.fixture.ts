import { createHmac } from 'node:crypto';
import type { SignedRequest } from './signed-request.ts';
import { bytesOf, encodeQueryPart } from './uri.ts';

/** What is signed of a query ("Constructing the CanonicalizedResource element"), as clients of today still have the list. */
const signedKeys: ReadonlySet<string> = new Set([
  'acl',
  'lifecycle',
  'location',
  'partNumber',
  'policy',
  'response-cache-control',
  'response-content-disposition',
  'response-content-encoding',
  'response-content-language',
  'response-content-type',
  'response-expires',
  'tagging',
  'uploadId',
  'uploads',
  'versionId',
  'versioning',
  'versions',
]);

/** A URL to presign. */
export interface ToPresign {
  readonly method: string;
  /** As it will stand on the wire. */
  readonly rawPath: string;
  readonly hostBucket?: string;
  readonly query?: readonly (readonly [name: string, value: string])[];
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether the headers stand in the query, as the SDK for Python puts them, or are sent beside it. */
  readonly isHoisted?: boolean;
}

export interface PresignerV2 {
  readonly accessKey: string;
  readonly secret: string;
  readonly expiresSeconds: number;
}

/** The request that follows a presigned URL of Signature Version 2, signed as the documentation of AWS has it. */
export function presignV2(url: ToPresign, { accessKey, secret, expiresSeconds }: PresignerV2): SignedRequest {
  const { method, rawPath, hostBucket, query = [], headers = {}, isHoisted = false } = url;
  const amzHeaders = Object.entries(headers)
    .filter(([name]) => name.startsWith('x-amz-'))
    .sort(([one], [other]) => (one < other ? -1 : 1));
  const resource = query
    .filter(([name]) => signedKeys.has(name))
    .sort(([one], [other]) => Number(one > other) - Number(one < other))
    .map(([name, value]) => (value === '' ? name : `${name}=${value}`));
  const lines = [
    method,
    headers['content-md5'] ?? '',
    headers['content-type'] ?? '',
    expiresSeconds,
    ...amzHeaders.map(([name, value]) => `${name}:${value}`),
    (hostBucket === undefined ? '' : `/${hostBucket}`) +
      rawPath +
      (resource.length > 0 ? `?${resource.join('&')}` : ''),
  ];
  const signature = createHmac('sha1', secret).update(lines.join('\n')).digest('base64');
  const parameters = [
    ...query,
    ['AWSAccessKeyId', accessKey],
    ['Signature', signature],
    ...(isHoisted ? Object.entries(headers) : []),
    ['Expires', String(expiresSeconds)],
  ] as const;
  return {
    method,
    rawPath,
    rawQuery: parameters.map(([name, value]) => `${name}=${encodeQueryPart(value)}`).join('&'),
    rawHeaders: ['Host', 'gateway.test', ...(isHoisted ? [] : Object.entries(headers).flat().map(bytesOf))],
    ...(hostBucket === undefined ? {} : { hostBucket }),
  };
}

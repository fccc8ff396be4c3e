/**
 * The parameters of a presigned URL: three of version 2, and of version 4 ("Authenticating requests: using query
 * parameters").
 */
export const signatureKeys: ReadonlySet<string> = new Set([
  'AWSAccessKeyId',
  'Expires',
  'Signature',
  'X-Amz-Algorithm',
  'X-Amz-Content-Sha256',
  'X-Amz-Credential',
  'X-Amz-Date',
  'X-Amz-Expires',
  'X-Amz-Security-Token',
  'X-Amz-Signature',
  'X-Amz-SignedHeaders',
]);

/**
 * The header, in lower case, for which a parameter of a presigned URL stands: any `x-amz-` header, and with version 2 the two
 * others that it signs. `undefined` for other parameters.
 */
export function hoistedHeader(key: string): string | undefined {
  const name = key.toLowerCase();
  const isHeader = /^(?:x-amz-[!#$%&'*+.^_`|~0-9a-z-]+|content-(?:md5|type))$/.test(name);
  return isHeader && !signatureKeys.has(key) ? name : undefined;
}

/** What GetObject and HeadObject answer instead of what the object has; each stands for a header of the answer. */
export const responseKeys: ReadonlyMap<string, string> = new Map([
  ['response-cache-control', 'cache-control'],
  ['response-content-disposition', 'content-disposition'],
  ['response-content-encoding', 'content-encoding'],
  ['response-content-language', 'content-language'],
  ['response-content-type', 'content-type'],
  ['response-expires', 'expires'],
]);

/** The AWS SDK for JavaScript names the operation in every URL, for logs alone. */
export const operationKey = 'x-id';

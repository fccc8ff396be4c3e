/** The parameters of a presigned URL (SigV4, "Authenticating requests: using query parameters"). */
export const signatureKeys: ReadonlySet<string> = new Set([
  'X-Amz-Algorithm',
  'X-Amz-Content-Sha256',
  'X-Amz-Credential',
  'X-Amz-Date',
  'X-Amz-Expires',
  'X-Amz-Security-Token',
  'X-Amz-Signature',
  'X-Amz-SignedHeaders',
]);

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

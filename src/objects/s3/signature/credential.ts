import type { CredentialScope } from './signed-request.ts';

export interface Credential {
  readonly accessKey: string;
  readonly scope: CredentialScope;
}

/**
 * Reads `access-key/yyyyMMdd/region/s3/aws4_request`. `refuse` makes the error of the form that carried it; what it is given
 * is the sentence that AWS has for the fault.
 */
export function parseCredential(text: string, refuse: (sentence: string) => Error): Credential {
  const parts = text.split('/');
  const terminal = parts.pop();
  const service = parts.pop();
  const region = parts.pop();
  const date = parts.pop();
  // An access key may hold slashes: it is all that comes before.
  const accessKey = parts.join('/');
  if (date === undefined || region === undefined || !/^[!-~]{1,128}$/.test(accessKey)) {
    throw refuse('the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".');
  }
  if (terminal !== 'aws4_request') throw refuse('incorrect terminal. This endpoint uses "aws4_request".');
  if (service !== 's3') throw refuse('incorrect service. This endpoint belongs to "s3".');
  if (!/^[!-~]{1,64}$/.test(region)) throw refuse('the region is malformed.');
  if (!/^\d{8}$/.test(date)) throw refuse('incorrect date format. It must be in the format "yyyyMMdd".');
  return { accessKey, scope: { date, region } };
}

/**
 * Reads a list of signed headers, `host;range;x-amz-date`. The names are in lower case, as every signer writes them; at most
 * 200, which is more than any server takes.
 */
export function parseSignedHeaders(text: string, refuse: (sentence: string) => Error): readonly string[] {
  const names = text.split(';', 201);
  if (names.length > 200 || !names.every((name) => /^[!#$%&'*+.^_`|~0-9a-z-]{1,256}$/.test(name))) {
    throw refuse('the SignedHeaders are malformed.');
  }
  return names;
}

import { hash } from 'node:crypto';
import { objectError } from '../../errors.ts';
import type { ListPosition } from '../../gateway.ts';

const version = 1;
const digestLength = 12;

/** What a token belongs to: a listing with another prefix or delimiter stands elsewhere, and its tokens mean nothing here. */
export interface TokenScope {
  readonly bucket: string;
  readonly prefix: string;
  readonly delimiter: string | null;
}

/** The end of a page as a token that clients give back unread. Its digest finds what was changed or cut off. */
export function encodeToken(scope: TokenScope, { key, isPrefix, versionId }: ListPosition): string {
  const position = JSON.stringify([key, isPrefix ? 1 : 0, ...(versionId === undefined ? [] : [versionId])]);
  return Buffer.concat([Buffer.of(version), digestOf(scope, position), Buffer.from(position)]).toString('base64url');
}

/** The position in a token of ours. Throws `InvalidArgument` for any other, and for one of another listing. */
export function decodeToken(scope: TokenScope, token: string): ListPosition {
  const bytes = Buffer.from(token, 'base64url');
  const position = bytes.subarray(1 + digestLength).toString();
  const isOurs =
    bytes.toString('base64url') === token &&
    bytes[0] === version &&
    bytes.subarray(1, 1 + digestLength).equals(digestOf(scope, position));
  const argument = 'continuation-token';
  if (!isOurs) throw objectError('InvalidArgument', { argument }, 'The continuation token provided is incorrect.');
  // The digest has vouched for the form.
  const [key, isPrefix, versionId] = JSON.parse(position) as [string, number, string?];
  return { key, isPrefix: isPrefix === 1, ...(versionId === undefined ? {} : { versionId }) };
}

/** Not a secret: it guards against mistakes, and a token gives nobody more than its holder may list anyway. */
function digestOf({ bucket, prefix, delimiter }: TokenScope, position: string): Buffer {
  const text = JSON.stringify([version, bucket, prefix, delimiter, position]);
  return hash('sha256', text, 'buffer').subarray(0, digestLength);
}

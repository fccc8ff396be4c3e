import type { KeyObject } from 'node:crypto';
import { objectError } from '../../errors.ts';
import { algorithmOfHeader } from '../../checksums/algorithm.ts';
import type { Authorization } from '../signature/signed-request.ts';
import type { ChunkedOptions } from './chunked-decoder.ts';

/** How many trailers a request may announce: S3 knows no more checksums. */
const trailersMax = 8;

/**
 * How to decode a request's body, from what was verified of it; `null` when it is not in chunks. It is
 * `x-amz-content-sha256` that decides: `Content-Encoding: aws-chunked` alone is only a name. `signingKey`
 * is the one that verified the request, `null` without one.
 *
 * Throws `MissingContentLength` without `x-amz-decoded-content-length`, `InvalidArgument` when that is no length, and
 * `InvalidRequest` for an `x-amz-trailer` that S3 does not know.
 */
export function chunkedOptions(authorization: Authorization, signingKey: KeyObject | null): ChunkedOptions | null {
  const { headers, payload } = authorization;
  if (payload === 'sha256' || payload === 'unsigned') return null;
  const hasTrailers = payload !== 'signed-chunks';
  const decodedLength = readDecodedLength(headers);
  const trailers = readTrailerNames(headers, hasTrailers);
  if (payload === 'unsigned-chunks-trailer') return { decodedLength, trailers, hasTrailers, signing: null };
  if (signingKey === null || !('scope' in authorization)) {
    throw new TypeError('signed chunks need the signing key of their request');
  }
  const { scope, amzDate, signature } = authorization;
  const signing = { signingKey, scope, amzDate, seedSignature: signature };
  return { decodedLength, trailers, hasTrailers, signing };
}

function readDecodedLength(headers: ReadonlyMap<string, string>): number {
  const field = 'x-amz-decoded-content-length';
  const text = headers.get(field);
  if (text === undefined) throw objectError('MissingContentLength', { field }, `The ${field} header is needed.`);
  if (!/^\d{1,15}$/.test(text)) {
    throw objectError('InvalidArgument', { field }, `The ${field} header is not a length in bytes.`);
  }
  return Number(text);
}

function readTrailerNames(headers: ReadonlyMap<string, string>, hasTrailers: boolean): readonly string[] {
  const field = 'x-amz-trailer';
  const text = headers.get(field);
  if (text === undefined || text === '') return [];
  const names = text
    .toLowerCase()
    .split(',', trailersMax + 1)
    .map((name) => name.trim());
  const isKnown = names.every((name) => algorithmOfHeader(name) !== undefined);
  const isOnce = new Set(names).size === names.length;
  if (hasTrailers && isKnown && isOnce && names.length <= trailersMax) return names;
  throw objectError('InvalidRequest', { field }, `The value specified in the ${field} header is not supported.`);
}

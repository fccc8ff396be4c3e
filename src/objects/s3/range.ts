import type { ByteRange } from '../content/content.ts';
import { objectError } from '../errors.ts';
import type { ContentPart, ObjectVersion } from '../object.ts';
import { parseEtags } from './conditions.ts';
import { parseHttpTime } from './http-time.ts';

/** A range as the client wrote it: from an offset to one or to the end, or so many of the last bytes. */
export type RangeSpec = { readonly first: number; readonly last: number | null } | { readonly suffixLength: number };

/**
 * Reads a `Range` header (RFC 9110, 14.2). Another unit, what is malformed, and several ranges at once are ignored (`null`):
 * the answer is then the whole, as S3 does.
 */
export function parseRange(header: string): RangeSpec | null {
  const [, first = '', last = ''] = /^bytes=(\d{0,40})-(\d{0,40})$/i.exec(header.trim()) ?? [];
  if (first === '') return last === '' ? null : { suffixLength: numberOf(last) };
  if (last === '') return { first: numberOf(first), last: null };
  // As they stand: beyond 2^53 two numbers that differ may be the same to the language.
  if (BigInt(last) < BigInt(first)) return null;
  return { first: numberOf(first), last: numberOf(last) };
}

/** Beyond what any object has, all numbers mean the same. */
function numberOf(digits: string): number {
  return Math.min(Number(digits), Number.MAX_SAFE_INTEGER);
}

/** The bytes of an object that a range means. Throws `InvalidRange`, with the size for `Content-Range`, when there are none. */
export function resolveRange(spec: RangeSpec, sizeBytes: number): ByteRange {
  const offset = 'first' in spec ? spec.first : Math.max(0, sizeBytes - spec.suffixLength);
  const end = 'first' in spec && spec.last !== null ? Math.min(spec.last + 1, sizeBytes) : sizeBytes;
  if (offset >= end) throw unsatisfiable(sizeBytes);
  return { offset, length: end - offset };
}

function unsatisfiable(sizeBytes: number): Error {
  return objectError('InvalidRange', {
    actual_size_bytes: sizeBytes,
    reply_headers: { 'content-range': `bytes */${sizeBytes}` },
  });
}

/** Whether a range may be answered: without `If-Range`, or when the object is still the one that it names (RFC 9110, 13.1.5). */
export function isRangeCurrent(
  ifRange: string | undefined,
  version: Pick<ObjectVersion, 'etag' | 'modifiedAtMs'>,
): boolean {
  if (ifRange === undefined) return true;
  const timeMs = parseHttpTime(ifRange);
  if (timeMs === undefined) return parseEtags(ifRange, 'strong').includes(version.etag);
  return Math.floor(version.modifiedAtMs / 1000) * 1000 === timeMs;
}

/**
 * The bytes of one part of an object. One that was written whole is its own only part. An empty part has no bytes to name,
 * so it is a range of length 0. Throws `InvalidPartNumber`.
 */
export function rangeOfPart(
  part: number,
  sizeBytes: number,
  parts: readonly Pick<ContentPart, 'part' | 'sizeBytes'>[],
): ByteRange {
  if (parts.length === 0 && part === 1) return { offset: 0, length: sizeBytes };
  let offset = 0;
  for (const { part: number, sizeBytes: length } of parts) {
    if (number === part) return { offset, length };
    offset += length;
  }
  throw objectError('InvalidPartNumber', { part_number: part, parts_count: Math.max(1, parts.length) });
}

/** `Content-Range` of a range that has bytes. */
export function formatContentRange({ offset, length }: ByteRange, sizeBytes: number): string {
  return `bytes ${offset}-${offset + length - 1}/${sizeBytes}`;
}

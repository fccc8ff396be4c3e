import { objectError } from '../../errors.ts';
import type { ListPosition } from '../../gateway.ts';

/** The most entries of a page, whatever the client asks for. */
const limitMax = 1000;

export interface ListParameters {
  readonly prefix: string;
  readonly delimiter: string | null;
  /** 0 to 1000. */
  readonly limit: number;
  readonly isUrlEncoded: boolean;
}

export const listKeys = ['prefix', 'delimiter', 'encoding-type'] as const;

/** What all listings of objects take. `limitKey` is the parameter of the page's size. Throws `InvalidArgument`. */
export function parseListParameters(query: ReadonlyMap<string, string>, limitKey: string): ListParameters {
  const encoding = query.get('encoding-type');
  if (encoding !== undefined && encoding !== 'url') {
    throw objectError('InvalidArgument', { argument: 'encoding-type', value: encoding.slice(0, 100) });
  }
  return {
    prefix: query.get('prefix') ?? '',
    delimiter: query.get('delimiter') || null,
    limit: parseLimit(query, limitKey, limitMax),
    isUrlEncoded: encoding !== undefined,
  };
}

/** A page's size: `most` by default and at most. Throws `InvalidArgument` for what is no number from 0 to 2^31 - 1. */
export function parseLimit(query: ReadonlyMap<string, string>, key: string, most: number): number {
  return Math.min(parseCount(key, query.get(key)) ?? most, most);
}

/** A number of a parameter or header; `undefined` without one. */
export function parseCount(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const count = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (count <= 2_147_483_647) return count;
  const message = `${name} is not an integer or within integer range.`;
  throw objectError('InvalidArgument', { argument: name, value: text.slice(0, 100) }, message);
}

/**
 * The position that a marker of the client means. It may be a common prefix that a page before told, and then all under
 * it was told as well; no key can look like one, since keys with the delimiter are only told as their prefix.
 */
export function positionAfter(marker: string | undefined, { prefix, delimiter }: ListParameters): ListPosition | null {
  if (marker === undefined || marker === '') return null;
  if (delimiter === null || !marker.startsWith(prefix)) return { key: marker, isPrefix: false };
  const at = marker.indexOf(delimiter, prefix.length);
  return { key: marker, isPrefix: at >= 0 && at + delimiter.length === marker.length };
}

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Case, acceptanceCase, pageNumbers } from '../case.ts';
import { textsOf } from '../wire.ts';
import type { World } from '../world.ts';
import { withKeys } from './listing.ts';

interface Wish {
  readonly prefix: string;
  readonly delimiter: string;
  readonly maxKeys: number;
}

const compare = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** What a whole listing tells, page by page: keys and common prefixes in one order. */
function model(keys: readonly string[], { prefix, delimiter }: Wish): string[] {
  const entries = keys
    .filter((key) => key.startsWith(prefix))
    .map((key) => {
      const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
      return at < 0 ? `k ${key}` : `p ${key.slice(0, at + delimiter.length)}`;
    });
  return [...new Set(entries)].toSorted((a, b) => compare(a.slice(2), b.slice(2)) || compare(a, b));
}

/** One page, its names decoded. */
async function page(world: World, bucket: string, wish: Wish, position: string) {
  const { prefix, delimiter, maxKeys } = wish;
  const query = new URLSearchParams({ 'encoding-type': 'url', 'max-keys': String(maxKeys) });
  if (prefix !== '') query.set('prefix', prefix);
  if (delimiter !== '') query.set('delimiter', delimiter);
  const { status, text } = await world.send({ method: 'GET', target: `/${bucket}?${query}${position}` });
  assert.equal(status, 200, text);
  const keys = textsOf(text, 'Key').map((key) => `k ${decodeURIComponent(key)}`);
  const prefixes = [...text.matchAll(/<CommonPrefixes><Prefix>([^<]*)/g)].map(
    ([, name]) => `p ${decodeURIComponent(name!)}`,
  );
  const names = [...keys, ...prefixes].toSorted((a, b) => compare(a.slice(2), b.slice(2)) || compare(a, b));
  assert.ok(names.length <= maxKeys);
  return { names, text, isTruncated: textsOf(text, 'IsTruncated')[0] === 'true' };
}

async function listAll(world: World, bucket: string, wish: Wish, isVersion2: boolean): Promise<string[]> {
  const seen: string[] = [];
  let position = isVersion2 ? '&list-type=2' : '';
  for (const _ of pageNumbers()) {
    const { names, text, isTruncated } = await page(world, bucket, wish, position);
    seen.push(...names);
    if (!isTruncated) break;
    const token = textsOf(text, 'NextContinuationToken')[0];
    const marker = textsOf(text, 'NextMarker')[0] ?? textsOf(text, 'Key').at(-1)!;
    position = isVersion2 ? `&list-type=2&continuation-token=${encodeURIComponent(token!)}` : `&marker=${marker}`;
  }
  return seen;
}

const letters = ['a', 'b', '/', '/', '-', 'é', '😀', ' ', '%', '\u0001'];
const word = fc.array(fc.constantFrom(...letters), { minLength: 1, maxLength: 5 }).map((parts) => parts.join(''));
const wishes = fc.record({
  prefix: fc.oneof(fc.constant(''), word),
  delimiter: fc.constantFrom('', '/', 'a', '/a', 'é'),
  maxKeys: fc.integer({ min: 1, max: 9 }),
});

export const listingModelCases: readonly Case[] = [true, false].map((isVersion2) =>
  acceptanceCase(
    `failure 25: a listing of version ${isVersion2 ? 2 : 1} tells each key and prefix once, whatever its pages`,
    async (world) => {
      const [keys] = fc.sample(fc.uniqueArray(word, { minLength: 40, maxLength: 40 }), { numRuns: 1, seed: 20 });
      const bucket = await withKeys(world, keys!);
      const check = fc.asyncProperty(wishes, async (wish) => {
        assert.deepEqual(await listAll(world, bucket, wish, isVersion2), model(keys!, wish));
      });
      await fc.assert(check, { numRuns: 25 });
    },
  ),
);

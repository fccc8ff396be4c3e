import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { matchesWildcard } from './wildcard.ts';

/** The meaning itself, by trying everything. */
function means(pattern: readonly string[], text: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return text.length === 0;
  if (first === '*') return text.some((_, from) => means(rest, text.slice(from))) || means(rest, []);
  return text.length > 0 && (first === '?' || first === text[0]) && means(rest, text.slice(1));
}

const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?', '😀', '/'), maxLength: 8 });
const text = fc.string({ unit: fc.constantFrom('a', 'b', '😀', '/', '*'), maxLength: 8 });

describe('a pattern', () => {
  test('matches what it means', () => {
    fc.assert(
      fc.property(pattern, text, (one, other) => {
        assert.equal(matchesWildcard(one, other), means(Array.from(one), Array.from(other)));
      }),
      { numRuns: 2000 },
    );
  });

  test('takes a character of two units for one', () => {
    assert.equal(matchesWildcard('a/?/b', 'a/😀/b'), true);
    assert.equal(matchesWildcard('a/??/b', 'a/😀/b'), false);
  });

  test('matches a long text in bounded time', () => {
    // A matcher that tries every way would not come back.
    const hostile = `${'a*'.repeat(5_000)}b`;
    assert.equal(matchesWildcard(hostile, 'a'.repeat(1_024)), false);
    assert.equal(matchesWildcard(`*${'a'.repeat(500)}b*`, 'a'.repeat(1_024)), false);
  });
});

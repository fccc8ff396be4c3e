import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { s3CodeOf } from './errors.ts';
import { commonPrefix, requireKey, successor } from './keys.ts';

/** Code points at the borders of what UTF-8 and UTF-16 order differently, and a few plain ones. */
const points = fc.oneof(
  fc.constantFrom('a', 'b', '/', '~', '\u007f', '\u0080', '\u07ff', '\ud7ff', '\ue000', '\uffff', '\ufffd'),
  fc.constantFrom('\u{10000}', '\u{1f600}', '\u{10fffe}', '\u{10ffff}'),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }).filter((one) => one.isWellFormed()),
);
const text = fc.array(points, { maxLength: 5 }).map((parts) => parts.join(''));

function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function refusal(key: string): string {
  try {
    requireKey(key);
  } catch (error) {
    return s3CodeOf(error);
  }
  return 'ok';
}

describe('keys', () => {
  test('the successor is above all with the prefix, and nothing else lies between', () => {
    fc.assert(
      fc.property(text, text, text, (prefix, rest, other) => {
        const above = successor(prefix);
        const key = prefix + rest;
        if (above === null) assert.match(prefix, /^\u{10ffff}*$/u);
        else {
          assert.ok(compare(key, above) < 0);
          assert.ok(above.isWellFormed());
          const isWithin = compare(other, prefix) >= 0 && compare(other, above) < 0;
          assert.equal(isWithin, other.startsWith(prefix));
        }
      }),
      { numRuns: 5_000 },
    );
  });

  test('the common prefix ends with the first delimiter behind the prefix', () => {
    assert.equal(commonPrefix('a/b/c', '', '/'), 'a/');
    assert.equal(commonPrefix('a/b/c', 'a/', '/'), 'a/b/');
    assert.equal(commonPrefix('a/b', 'a/', '/'), null);
    assert.equal(commonPrefix('a/b', 'a', '/'), 'a/');
    assert.equal(commonPrefix('a--b--c', 'a-', '--'), 'a--b--');
    assert.equal(commonPrefix('/a', '', '/'), '/');
    assert.equal(commonPrefix('a/b', '', null), null);
    assert.equal(commonPrefix('a/b', '', ''), null);
  });

  test('are refused only where no store or client could carry them', () => {
    for (const key of ['a', '.', '..', '//', '/a', 'a/../b', ' ', '\u0001', 'é'.repeat(512), '\u{1f600}'.repeat(256)]) {
      assert.equal(refusal(key), 'ok', JSON.stringify(key));
    }
    for (const key of ['a'.repeat(1025), 'é'.repeat(513), '\u{1f600}'.repeat(257)]) {
      assert.equal(refusal(key), 'KeyTooLongError');
    }
    for (const key of ['', 'a\0b', 'a\ud800', '\udc00']) assert.equal(refusal(key), 'InvalidURI', JSON.stringify(key));
  });
});

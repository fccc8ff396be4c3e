import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { HoldfastError } from '../errors/errors.ts';
import { parseJson } from './json.ts';

describe('a JSON body', () => {
  test('keeps integers that a number would round', () => {
    const cases: readonly [string, unknown][] = [
      ['9007199254740991', 9_007_199_254_740_991],
      ['9007199254740993', '9007199254740993'],
      ['-9007199254740993', '-9007199254740993'],
      ['[1, 18446744073709551615]', [1, '18446744073709551615']],
      ['{"size": 9223372036854775807}', { size: '9223372036854775807' }],
      ['0.1234567890123456789', 0.123_456_789_012_345_68],
      ['"9007199254740993"', '9007199254740993'],
    ];
    for (const [text, value] of cases) assert.deepEqual(parseJson(text), value, text);
  });

  test('keeps any integer to the last digit', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }), (value) => {
        const { n } = parseJson(`{"n":${value}}`) as { n: number | string };
        assert.equal(BigInt(n), value);
      }),
    );
  });

  test('of any other value is what it was', () => {
    const plain = fc.jsonValue({ noUnicodeString: false }).filter((value) => !hasLongInteger(value));
    fc.assert(
      fc.property(plain, (value) => {
        const text = JSON.stringify(value);
        fc.pre(!text.includes('__proto__'));
        assert.deepEqual(parseJson(text), JSON.parse(text));
      }),
    );
  });

  test('may be absent', () => {
    assert.equal(parseJson(''), undefined);
    assert.equal(parseJson(' \n\t'), undefined);
  });

  test('that is none is refused in a sentence', () => {
    for (const text of ['{', 'nothing', '{"a":1,}', '[1', '12345678901234567890x', `'a'`]) {
      assert.throws(
        () => parseJson(text),
        (error) => {
          assert.ok(error instanceof HoldfastError);
          assert.deepEqual([error.kind, error.details], ['invalid', { field: 'body' }]);
          assert.match(error.message, /^The body is not JSON: .*\.$/s);
          return true;
        },
        text,
      );
    }
  });

  test('cannot reach into prototypes', () => {
    assert.throws(() => parseJson('{"__proto__": {"isAdmin": true}}'), { name: 'HoldfastError', kind: 'invalid' });
    assert.equal(({} as Record<string, unknown>)['isAdmin'], undefined);
  });
});

function hasLongInteger(value: unknown): boolean {
  if (typeof value === 'number') return Number.isInteger(value) && !Number.isSafeInteger(value);
  return typeof value === 'object' && value !== null && Object.values(value).some(hasLongInteger);
}

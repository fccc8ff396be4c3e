import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { s3CodeOf } from '../../errors.ts';
import { encodeName, nameText } from './entry-text.ts';
import { parseListParameters, positionAfter } from './list-parameters.ts';
import { decodeToken, encodeToken } from './page-token.ts';

const text = fc.string({ unit: 'binary' }).filter((key) => key.isWellFormed());
const scope = fc.record({ bucket: text, prefix: text, delimiter: fc.option(text) });
const position = fc.record(
  { key: text, isPrefix: fc.boolean(), versionId: text },
  { requiredKeys: ['key', 'isPrefix'], noNullPrototype: true },
);

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return s3CodeOf(error);
  }
  return 'fine';
}

describe('continuation tokens', () => {
  test('give the position back', () => {
    fc.assert(
      fc.property(scope, position, (of, at) => {
        const token = encodeToken(of, at);
        assert.match(token, /^[\w-]+$/);
        assert.deepEqual(decodeToken(of, token), at);
      }),
    );
  });

  test('of another listing are refused', () => {
    fc.assert(
      fc.property(scope, scope, position, (one, other, at) => {
        fc.pre(JSON.stringify(one) !== JSON.stringify(other));
        assert.equal(
          codeOf(() => decodeToken(other, encodeToken(one, at))),
          'InvalidArgument',
        );
      }),
    );
  });

  test('that were changed, cut or invented are refused', () => {
    const of = { bucket: 'b', prefix: '', delimiter: '/' };
    const token = encodeToken(of, { key: 'photos/', isPrefix: true });
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: token.length - 1 }),
        fc.constantFrom(...'A B C x y z 0 1 9 - _ = + /'.split(' ')),
        (at, character) => {
          const changed = token.slice(0, at) + character + token.slice(at + 1);
          fc.pre(changed !== token);
          assert.equal(
            codeOf(() => decodeToken(of, changed)),
            'InvalidArgument',
          );
        },
      ),
    );
    for (let end = 0; end < token.length; end++) {
      assert.equal(
        codeOf(() => decodeToken(of, token.slice(0, end))),
        'InvalidArgument',
      );
    }
    fc.assert(fc.property(fc.string(), (other) => codeOf(() => decodeToken(of, other)) === 'InvalidArgument'));
  });
});

describe('parameters of listings', () => {
  const parse = (query: string) => parseListParameters(new Map(new URLSearchParams(query)), 'max-keys');

  test('have defaults and bounds', () => {
    assert.deepEqual(parse(''), { prefix: '', delimiter: null, limit: 1000, isUrlEncoded: false });
    assert.deepEqual(parse('delimiter=&max-keys=2000&encoding-type=url&prefix=a'), {
      prefix: 'a',
      delimiter: null,
      limit: 1000,
      isUrlEncoded: true,
    });
    assert.equal(parse('max-keys=0').limit, 0);
    for (const query of [
      'max-keys=-1',
      'max-keys=x',
      'max-keys=',
      'max-keys=1.5',
      'max-keys=2147483648',
      'encoding-type=x',
    ]) {
      assert.equal(
        codeOf(() => parse(query)),
        'InvalidArgument',
        query,
      );
    }
    assert.equal(parse('max-keys=2147483647').limit, 1000);
  });

  test('failure 25: a marker that is a common prefix stands for all under it', () => {
    const at = (marker: string, query: string) => positionAfter(marker, parse(query));
    assert.deepEqual(at('photos/', 'delimiter=/'), { key: 'photos/', isPrefix: true });
    assert.deepEqual(at('photos/', ''), { key: 'photos/', isPrefix: false });
    assert.deepEqual(at('photos/2026/', 'delimiter=/'), { key: 'photos/2026/', isPrefix: false });
    assert.deepEqual(at('photos/2026/', 'delimiter=/&prefix=photos/'), { key: 'photos/2026/', isPrefix: true });
    assert.deepEqual(at('photos/', 'delimiter=/&prefix=photos/'), { key: 'photos/', isPrefix: false });
    assert.deepEqual(at('a', 'delimiter=/&prefix=photos/'), { key: 'a', isPrefix: false });
    assert.deepEqual(at('a--b--', 'delimiter=--'), { key: 'a--b--', isPrefix: false });
    assert.equal(at('', 'delimiter=/'), null);
  });
});

describe('names in listings', () => {
  test('are encoded so that every decoder gives them back', () => {
    fc.assert(
      fc.property(text, (name) => {
        const encoded = encodeName(name);
        assert.match(encoded, /^[\w.~/%-]*$/);
        assert.equal(decodeURIComponent(encoded), name);
        assert.equal(decodeURIComponent(encoded.replaceAll('+', ' ')), name);
      }),
    );
    assert.equal(encodeName('quux ab/foo+1(3).png'), 'quux%20ab/foo%2B1%283%29.png');
  });

  test('are encoded unasked when XML cannot carry one of them', () => {
    assert.deepEqual(
      [nameText(false, ['a', 'é']).isUrlEncoded, nameText(false, ['a', '\u0001']).isUrlEncoded],
      [false, true],
    );
    assert.equal(nameText(false, ['\u0001']).text('a\u0001'), 'a%01');
    assert.equal(nameText(false, ['<']).text('<'), '&lt;');
  });
});

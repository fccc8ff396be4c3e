import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { canonicalQuery, parseQuery } from './query.ts';
import { canonicalPath, decodePath, encodePath, encodeQueryPart } from './uri.ts';

const text = fc.string({ unit: 'binary', maxLength: 30 }).map((value) => value.toWellFormed());

function isInvalidUri(error: unknown): boolean {
  return error instanceof HoldfastError && error.details['s3'] === 'InvalidURI';
}

describe('a path', () => {
  test('failure 16: is encoded once, and never normalised', () => {
    const cases: readonly [wire: string, canonical: string][] = [
      ['/', '/'],
      ['//a//b/', '//a//b/'],
      ['/a/./b/../c', '/a/./b/../c'],
      ['/a%2Fb', '/a/b'],
      ['/a%2fb', '/a/b'],
      ['/a+b', '/a%2Bb'],
      ['/a%20b', '/a%20b'],
      ['/a%2520b', '/a%2520b'],
      ['/~user', '/~user'],
      ['/%7Euser', '/~user'],
      ["/!'()*", '/%21%27%28%29%2A'],
      ['/\u00e4', '/%E4'],
      ['/%c3%a4', '/%C3%A4'],
      ['/a?b', '/a%3Fb'],
    ];
    for (const [wire, canonical] of cases) assert.equal(canonicalPath(wire), canonical, wire);
  });

  test('of any text is read back, and is canonical as it is', () => {
    fc.assert(
      fc.property(text, (key) => {
        assert.equal(decodePath(encodePath(key)), key);
        assert.equal(canonicalPath(encodePath(key)), encodePath(key));
        assert.match(encodePath(key), /^[A-Za-z0-9._~/%-]*$/);
      }),
    );
    assert.equal(decodePath('/%EF%BB%BFa'), '/\ufeffa');
  });

  test('that could mean two things is refused', () => {
    for (const wire of ['/%', '/%4', '/%zz', '/a%2', '/%%20', '/\u0100']) {
      assert.throws(() => canonicalPath(wire), isInvalidUri, wire);
      assert.throws(() => decodePath(wire), isInvalidUri, wire);
    }
    for (const wire of ['/%ff', '/%c3', '/%ed%a0%80']) assert.throws(() => decodePath(wire), isInvalidUri, wire);
  });
});

describe('a query', () => {
  test('is canonical in the order of encoded names, then values', () => {
    const cases: readonly [wire: string, canonical: string][] = [
      ['', ''],
      ['uploads', 'uploads='],
      ['b=2&a=1', 'a=1&b=2'],
      ['a=2&a=1&a', 'a=&a=1&a=2'],
      // `-` and `.` come before `=`, so names are not compared with their values.
      ['a-b=1&a=2', 'a=2&a-b=1'],
      ['a=b=c', 'a=b%3Dc'],
      ['prefix=a/b&delimiter=%2f', 'delimiter=%2F&prefix=a%2Fb'],
      ['&&a=1&', 'a=1'],
      ['B=1&a=2&%61=1', 'B=1&a=1&a=2'],
      ['%e4=1&z=2', '%E4=1&z=2'],
      ['a=1&X-Amz-Signature=00&b=2', 'a=1&b=2'],
      ['a=1&X%2DAmz-Signature=00', 'a=1'],
    ];
    for (const [wire, canonical] of cases) assert.equal(canonicalQuery(wire), canonical, wire);
  });

  test('has one meaning for a plus sign: a space, where it is read and where it is signed', () => {
    assert.equal(canonicalQuery('prefix=a+b'), 'prefix=a%20b');
    assert.deepEqual(parseQuery('prefix=a+b&c%2B=d%2Be'), [
      ['prefix', 'a b'],
      ['c+', 'd+e'],
    ]);
  });

  test('of any texts is read back', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text), { maxLength: 5 }), (pairs) => {
        const wire = pairs.map(([name, value]) => `${encodeQueryPart(name)}=${encodeQueryPart(value)}`).join('&');
        assert.deepEqual(parseQuery(wire), pairs);
      }),
    );
  });

  test('as forms are serialised means what was serialised', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text), { maxLength: 5 }), (pairs) => {
        assert.deepEqual(parseQuery(new URLSearchParams(pairs).toString()), pairs);
      }),
    );
  });
});

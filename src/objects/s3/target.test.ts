import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { s3CodeOf } from '../errors.ts';
import { encodePath } from './signature/uri.ts';
import { parseTarget } from './target.ts';

function codeOf(url: string, host = 'host'): string {
  try {
    parseTarget(url, host, ['s3.test']);
  } catch (error) {
    return s3CodeOf(error);
  }
  return 'fine';
}

/** Each byte of a key as any client may write it: plain where it can stand on the wire, or escaped in either case. */
const wireOf = (key: string, choices: readonly number[]): string =>
  [...Buffer.from(key)]
    .map((byte, index) => {
      const hex = byte.toString(16).padStart(2, '0');
      const choice = choices[index % Math.max(1, choices.length)] ?? 0;
      const isPlain = byte > 0x20 && byte !== 0x7f && byte !== 0x25 && byte !== 0x3f && byte !== 0x23;
      if (isPlain && choice === 0) return String.fromCharCode(byte);
      return `%${choice === 1 ? hex.toUpperCase() : hex}`;
    })
    .join('');

describe('targets', () => {
  test('give every key back as it was, however it is written', () => {
    const key = fc
      .string({ unit: 'binary', minLength: 1, maxLength: 200 })
      .filter((text) => text.isWellFormed() && !text.includes('\0'));
    fc.assert(
      fc.property(key, fc.array(fc.integer({ min: 0, max: 2 })), (text, choices) => {
        for (const wire of [wireOf(text, choices), encodePath(text)]) {
          assert.equal(parseTarget(`/bucket/${wire}?x=y`, 'host', []).key, text);
          assert.equal(parseTarget(`/${wire}`, 'bucket.s3.test', ['s3.test']).key, text);
        }
      }),
    );
  });

  test('do not normalise', () => {
    for (const key of [
      '/a',
      '//',
      'a//b',
      '.',
      '..',
      '../..',
      './a',
      'a/',
      'a/../b',
      'a+b',
      ' ',
      '\ufeffa',
      'a\u0301',
      '\u00e1',
    ]) {
      assert.equal(parseTarget(`/b/${encodePath(key)}`, 'host', []).key, key);
    }
    assert.equal(parseTarget('/b//a', 'host', []).key, '/a');
    assert.equal(parseTarget('/b/a%2Fb', 'host', []).key, 'a/b');
    assert.equal(parseTarget('/b/a+b', 'host', []).key, 'a+b');
  });

  test('tell service, bucket and object apart', () => {
    const resource = (url: string, host = 'host') => {
      const { resource: kind, bucketName, key } = parseTarget(url, host, ['s3.test']);
      return [kind, bucketName, key].join(' ');
    };
    assert.equal(resource('/'), 'service  ');
    assert.equal(resource('/?x'), 'service  ');
    assert.equal(resource('/b'), 'bucket b ');
    assert.equal(resource('/b/?x'), 'bucket b ');
    assert.equal(resource('/b/k'), 'object b k');
    assert.equal(resource('/', 'b.s3.test'), 'bucket b ');
    assert.equal(resource('/k', 'B.C.S3.test:9000'), 'object b.c k');
    assert.equal(resource('/b/k', 's3.test:9000'), 'object b k');
    assert.equal(resource('/b/k', '[::1]:9000'), 'object b k');
    assert.equal(resource('/b/k', 'xs3.test'), 'object b k');
    assert.equal(resource('http://b.s3.test/k?x', 'other'), 'object b k');
    assert.equal(resource('http://other', 'b.s3.test'), 'service  ');
  });

  const refused = [
    ['/b/%', 'InvalidURI'],
    ['/b/%zz', 'InvalidURI'],
    ['/b/%ff', 'InvalidURI'],
    ['/b/%c3%28', 'InvalidURI'],
    ['/b/%ed%a0%80', 'InvalidURI'],
    ['/b/\u00ff', 'InvalidURI'],
    ['/b/a%00b', 'InvalidURI'],
    ['*', 'InvalidURI'],
    ['b/k', 'InvalidURI'],
    ['//k', 'InvalidBucketName'],
    [`/${'b'.repeat(256)}/k`, 'InvalidBucketName'],
    [`/b/${'k'.repeat(1025)}`, 'KeyTooLongError'],
    [`/b/${'%c3%a9'.repeat(513)}`, 'KeyTooLongError'],
  ] as const;
  for (const [url, code] of refused)
    test(`refuse ${url.slice(0, 30)} with ${code}`, () => assert.equal(codeOf(url), code));

  test('take keys of exactly 1,024 bytes', () => {
    assert.equal(codeOf(`/b/${'k'.repeat(1024)}`), 'fine');
    assert.equal(codeOf(`/b/${'%c3%a9'.repeat(512)}`), 'fine');
  });
});

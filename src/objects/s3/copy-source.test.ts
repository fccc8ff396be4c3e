import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { s3CodeOf } from '../errors.ts';
import { parseCopySource } from './copy-source.ts';
import { encodePath } from './signature/uri.ts';

describe('the source of a copy', () => {
  test('is read as any client writes it', () => {
    const plain = { bucket: 'b', key: 'a/k', versionId: undefined };
    for (const header of ['b/a/k', '/b/a/k', 'b/a%2Fk', '/b%2Fa%2Fk', '%2Fb%2Fa%2Fk'])
      assert.deepEqual(parseCopySource(header), plain);
    assert.deepEqual(parseCopySource('b/k?versionId=v1'), { bucket: 'b', key: 'k', versionId: 'v1' });
    assert.deepEqual(parseCopySource('b/k%3FversionId=v1'), {
      bucket: 'b',
      key: 'k?versionId=v1',
      versionId: undefined,
    });
    assert.deepEqual(parseCopySource('b//k'), { bucket: 'b', key: '/k', versionId: undefined });
    assert.deepEqual(parseCopySource('b/a+b'), { bucket: 'b', key: 'a+b', versionId: undefined });
  });

  test('keeps every key', () => {
    const key = fc
      .string({ unit: 'binary', minLength: 1 })
      .filter((text) => text.isWellFormed() && !text.includes('\0'));
    fc.assert(fc.property(key, (text) => assert.equal(parseCopySource(`bucket/${encodePath(text)}`).key, text)));
  });

  test('is refused when it names no object', () => {
    for (const header of [
      '',
      '/',
      'b',
      '/b',
      'b/',
      '/b/',
      '//k',
      'b/%',
      'b/%ff',
      'b/k?versionId=',
      'b/k%00',
      'b%00/k',
    ]) {
      assert.throws(
        () => parseCopySource(header),
        (error) => s3CodeOf(error) === 'InvalidArgument',
        header,
      );
    }
  });
});

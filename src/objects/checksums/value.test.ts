import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { type DigestAlgorithm, checksumAlgorithms, digestLength } from './algorithm.ts';
import { assertDigest, formatDigest, parseDigest } from './value.ts';

const algorithms: readonly DigestAlgorithm[] = [...checksumAlgorithms, 'MD5'];

function fails(work: () => unknown, code: string): void {
  assert.throws(work, (error) => error instanceof HoldfastError && error.details['s3'] === code);
}

describe('a digest that a client gave', () => {
  test('is read back from its text', () => {
    fc.assert(
      fc.property(fc.constantFrom(...algorithms), fc.infiniteStream(fc.nat(255)), (algorithm, bytes) => {
        const digest = Buffer.from([...bytes.take(digestLength(algorithm))]);
        assert.deepEqual(parseDigest(algorithm, formatDigest(digest)), digest);
      }),
    );
  });

  test('is refused when it is no base64 of the right length', () => {
    fails(() => parseDigest('MD5', 'AAAA'), 'InvalidDigest');
    const wrong = [
      '',
      'AAAA',
      'AAAAAA',
      'AAAAAAA=',
      'AAAAAB==',
      ' AAAAAA==',
      'AAAAAA==\n',
      'AAAAAA=',
      '!!!!!!==',
      '-_-_-Q==',
    ];
    for (const text of wrong) fails(() => parseDigest('CRC32', text), 'InvalidRequest');
    fails(() => parseDigest('SHA256', 'A'.repeat(1_000_000)), 'InvalidRequest');
    assert.deepEqual(parseDigest('CRC32', 'AAAAAA=='), Buffer.alloc(4));
  });

  test('is only ever read as what writes the same text, or refused', () => {
    fc.assert(
      fc.property(fc.constantFrom(...algorithms), fc.string({ maxLength: 60 }), (algorithm, text) => {
        try {
          assert.equal(formatDigest(parseDigest(algorithm, text)), text);
        } catch (error) {
          assert.ok(error instanceof HoldfastError, String(error));
        }
      }),
    );
  });

  test('must be that of the content', () => {
    const digest = Buffer.from('00000001', 'hex');
    assertDigest('CRC32', digest, Buffer.from(digest));
    fails(() => assertDigest('CRC32', digest, Buffer.alloc(4)), 'BadDigest');
    fails(() => assertDigest('MD5', Buffer.alloc(16), Buffer.alloc(16, 1)), 'BadDigest');
  });
});

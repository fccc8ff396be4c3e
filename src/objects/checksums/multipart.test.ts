import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { checksumAlgorithms } from './algorithm.ts';
import { checksumOf } from './checksum.ts';
import { combineCrc } from './combine-crc.ts';
import { checksumOfParts, defaultChecksumType, parseChecksumType } from './multipart.ts';

const crcs = ['CRC32', 'CRC32C', 'CRC64NVME'] as const;

function refuses(work: () => unknown): void {
  assert.throws(work, (error) => error instanceof HoldfastError && error.details['s3'] === 'InvalidRequest');
}

describe('the CRCs of two pieces', () => {
  test('combine to the CRC of the whole', () => {
    const bytes = fc.uint8Array({ maxLength: 300 });
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        for (const algorithm of crcs) {
          const combined = combineCrc(algorithm, checksumOf(algorithm, a), checksumOf(algorithm, b), b.length);
          assert.deepEqual(combined, checksumOf(algorithm, Buffer.concat([a, b])), algorithm);
        }
      }),
    );
  });

  test('combine over lengths that no memory holds', () => {
    // Zeros appended in one step are the zeros appended in two steps.
    for (const algorithm of crcs) {
      const start = checksumOf(algorithm, Buffer.from('start'));
      const zero = Buffer.alloc(start.length);
      const far = 5 * 2 ** 40;
      const once = combineCrc(algorithm, start, zero, far + 12_345);
      const twice = combineCrc(algorithm, combineCrc(algorithm, start, zero, far), zero, 12_345);
      assert.deepEqual(once, twice, algorithm);
      assert.notDeepEqual(once, start, algorithm);
    }
  });
});

describe('the checksum of parts', () => {
  const parts = ['a'.repeat(1000), 'b'.repeat(77), 'c'].map((text) => Buffer.from(text));

  test('is, when composite, the checksum of their checksums with their number', () => {
    const digests = parts.map((part) => checksumOf('SHA256', part));
    const expected = `${checksumOf('SHA256', Buffer.concat(digests)).toString('base64')}-3`;
    const given = digests.map((digest, index) => ({ digest, sizeBytes: parts[index]!.length }));
    assert.deepEqual(checksumOfParts('SHA256', 'COMPOSITE', given), {
      algorithm: 'SHA256',
      type: 'COMPOSITE',
      value: expected,
    });
  });

  test('is, when of the full object, that of its bytes', () => {
    for (const algorithm of crcs) {
      const given = parts.map((part) => ({ digest: checksumOf(algorithm, part), sizeBytes: part.length }));
      const { value } = checksumOfParts(algorithm, 'FULL_OBJECT', given);
      assert.equal(value, checksumOf(algorithm, Buffer.concat(parts)).toString('base64'), algorithm);
    }
    const [only] = parts.map((part) => ({ digest: checksumOf('CRC32', part), sizeBytes: part.length }));
    assert.equal(checksumOfParts('CRC32', 'FULL_OBJECT', [only!]).value, only!.digest.toString('base64'));
  });

  test('cannot be of the full object for hashes', () => {
    const digest = checksumOf('SHA1', parts[0]!);
    assert.throws(() => checksumOfParts('SHA1', 'FULL_OBJECT', [{ digest, sizeBytes: 1000 }]), TypeError);
  });
});

describe('the type of a checksum', () => {
  test('is the one that the algorithm has by itself', () => {
    assert.deepEqual(checksumAlgorithms.map(defaultChecksumType), [
      'COMPOSITE',
      'COMPOSITE',
      'FULL_OBJECT',
      'COMPOSITE',
      'COMPOSITE',
    ]);
    assert.equal(parseChecksumType('CRC64NVME', undefined), 'FULL_OBJECT');
  });

  test('is the one that the client asks for, where the algorithm has it', () => {
    for (const algorithm of crcs) assert.equal(parseChecksumType(algorithm, 'FULL_OBJECT'), 'FULL_OBJECT');
    for (const algorithm of ['CRC32', 'CRC32C', 'SHA1', 'SHA256'] as const) {
      assert.equal(parseChecksumType(algorithm, 'COMPOSITE'), 'COMPOSITE');
    }
    refuses(() => parseChecksumType('CRC64NVME', 'COMPOSITE'));
    refuses(() => parseChecksumType('SHA1', 'FULL_OBJECT'));
    refuses(() => parseChecksumType('SHA256', 'FULL_OBJECT'));
    refuses(() => parseChecksumType('CRC32', 'composite'));
  });
});

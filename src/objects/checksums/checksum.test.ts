import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  type DigestAlgorithm,
  algorithmOfHeader,
  checksumAlgorithms,
  checksumHeader,
  digestLength,
  parseAlgorithm,
} from './algorithm.ts';
import { checksumOf, createChecksum } from './checksum.ts';

const algorithms: readonly DigestAlgorithm[] = [...checksumAlgorithms, 'MD5'];

/** The definition of a reflected CRC, one bit at a time. */
function plainCrc(bytes: Uint8Array, bits: bigint, polynomial: bigint): string {
  const ones = (1n << bits) - 1n;
  let crc = ones;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1n) === 1n ? (crc >> 1n) ^ polynomial : crc >> 1n;
  }
  return (crc ^ ones).toString(16).padStart(Number(bits) / 4, '0');
}

describe('a checksum', () => {
  test('has the published value of its algorithm', () => {
    // The check values of the CRC catalogue, and of RFC 1321, FIPS 180 and RFC 3720 appendix B.4.
    const cases: readonly [DigestAlgorithm, Buffer, string][] = [
      ['CRC32', Buffer.from('123456789'), 'cbf43926'],
      ['CRC32C', Buffer.from('123456789'), 'e3069283'],
      ['CRC64NVME', Buffer.from('123456789'), 'ae8b14860a799888'],
      ['CRC32C', Buffer.alloc(32), '8a9136aa'],
      ['CRC32C', Buffer.alloc(32, 0xff), '62a8ab43'],
      ['CRC32C', Buffer.from(Array.from({ length: 32 }, (_, index) => index)), '46dd794e'],
      ['CRC64NVME', Buffer.alloc(4096), '6482d367eb22b64e'],
      ['CRC64NVME', Buffer.alloc(4096, 0xff), 'c0ddba7302eca3ac'],
      ['MD5', Buffer.from('abc'), '900150983cd24fb0d6963f7d28e17f72'],
      ['SHA1', Buffer.from('abc'), 'a9993e364706816aba3e25717850c26c9cd0d89d'],
      ['SHA256', Buffer.from('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
    ];
    for (const [algorithm, bytes, digest] of cases) {
      assert.equal(checksumOf(algorithm, bytes).toString('hex'), digest, algorithm);
      const checksum = createChecksum(algorithm);
      checksum.update(bytes);
      assert.equal(checksum.digest().toString('hex'), digest, algorithm);
    }
  });

  test('is that of its definition, at any alignment in memory', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(8), (bytes, offset) => {
        const room = Buffer.alloc(bytes.length + offset);
        room.set(bytes, offset);
        const moved = room.subarray(offset);
        assert.equal(checksumOf('CRC32', moved).toString('hex'), plainCrc(bytes, 32n, 0xedb88320n));
        assert.equal(checksumOf('CRC32C', moved).toString('hex'), plainCrc(bytes, 32n, 0x82f63b78n));
        assert.equal(checksumOf('CRC64NVME', moved).toString('hex'), plainCrc(bytes, 64n, 0x9a6c9329ac4bc9b5n));
      }),
    );
  });

  test('is the same however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), fc.array(fc.nat(500), { maxLength: 6 }), (bytes, cuts) => {
        const ends = [...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
        for (const algorithm of algorithms) {
          const checksum = createChecksum(algorithm);
          let start = 0;
          for (const end of ends) {
            checksum.update(bytes.subarray(start, end));
            start = end;
          }
          assert.deepEqual(checksum.digest(), checksumOf(algorithm, bytes), algorithm);
        }
      }),
    );
  });

  test('of nothing is that of no bytes', () => {
    for (const algorithm of algorithms) {
      assert.deepEqual(createChecksum(algorithm).digest(), checksumOf(algorithm, Buffer.alloc(0)), algorithm);
      assert.equal(createChecksum(algorithm).digest().length, digestLength(algorithm));
    }
  });
});

describe('the name of a checksum', () => {
  test('is that of its header', () => {
    assert.deepEqual(algorithms.map(checksumHeader), [
      'x-amz-checksum-crc32',
      'x-amz-checksum-crc32c',
      'x-amz-checksum-crc64nvme',
      'x-amz-checksum-sha1',
      'x-amz-checksum-sha256',
      'content-md5',
    ]);
    for (const algorithm of checksumAlgorithms) assert.equal(algorithmOfHeader(checksumHeader(algorithm)), algorithm);
    for (const name of ['content-md5', 'x-amz-checksum-type', 'x-amz-checksum-md5', 'constructor', '']) {
      assert.equal(algorithmOfHeader(name), undefined, name);
    }
  });

  test('is read in any case, and only when known', () => {
    assert.equal(parseAlgorithm('crc64nvme'), 'CRC64NVME');
    assert.equal(parseAlgorithm('SHA256'), 'SHA256');
    for (const text of ['MD5', 'CRC', '', 'SHA512', 'toString']) assert.equal(parseAlgorithm(text), undefined, text);
  });
});

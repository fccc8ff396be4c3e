import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { checksumOf } from '../checksums/checksum.ts';
import { s3CodeOf } from '../errors.ts';
import type { IncomingContent } from '../gateway.ts';
import type { ChecksumAlgorithm } from '../object.ts';
import { type ContentDigests, ContentHasher, hashBuffer } from './hasher.ts';

type Announced = Pick<IncomingContent, 'md5' | 'sha256' | 'checksums' | 'trailingChecksums'>;

const algorithms: readonly ChecksumAlgorithm[] = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'];
const chunks = fc.array(
  fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
  { maxLength: 6 },
);
const chosen = fc.uniqueArray(fc.constantFrom(...algorithms));

function hashStream(parts: readonly Buffer[], announced: Announced): ContentDigests {
  const hasher = new ContentHasher(announced);
  for (const part of parts) hasher.update(part);
  return hasher.finish();
}

/** Both ways of hashing, which must agree in every answer and every refusal. */
const ways = [
  ['a stream', hashStream],
  ['one buffer', (parts: readonly Buffer[], announced: Announced) => hashBuffer(Buffer.concat(parts), announced)],
] as const;

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return s3CodeOf(error);
  }
  return 'ok';
}

describe('digests of a content', () => {
  for (const [way, hash] of ways) {
    test(`of ${way} are those of node's own crypto, and only those asked for`, () => {
      fc.assert(
        fc.property(chunks, chosen, (parts, wanted) => {
          const whole = Buffer.concat(parts);
          const found = hash(parts, { checksums: wanted.map((algorithm) => ({ algorithm })) });
          assert.equal(found.md5, createHash('md5').update(whole).digest('hex'));
          assert.equal(found.crc32, crc32(whole));
          assert.deepEqual(
            found.checksums,
            wanted.map((algorithm) => ({
              algorithm,
              value: checksumOf(algorithm, whole).toString('base64'),
              type: 'FULL_OBJECT',
            })),
          );
        }),
      );
    });

    test(`of ${way} are compared with everything that was announced`, () => {
      const parts = [Buffer.from('hello '), Buffer.from('world')];
      const whole = Buffer.concat(parts);
      const md5 = createHash('md5').update(whole).digest();
      const sha256 = createHash('sha256').update(whole).digest('hex');
      assert.equal(
        codeOf(() => hash(parts, { md5, sha256 })),
        'ok',
      );
      const wrongMd5 = Buffer.from(md5);
      wrongMd5[15]! ^= 1;
      assert.equal(
        codeOf(() => hash(parts, { md5: wrongMd5 })),
        'BadDigest',
      );
      assert.equal(
        codeOf(() => hash(parts, { sha256: sha256.replace(/^./, '_') })),
        'XAmzContentSHA256Mismatch',
      );
      for (const algorithm of algorithms) {
        const right = checksumOf(algorithm, whole).toString('base64');
        const wrong = checksumOf(algorithm, Buffer.from('other')).toString('base64');
        const check = (announced: Announced) => codeOf(() => hash(parts, announced));
        assert.equal(check({ checksums: [{ algorithm, expected: right }] }), 'ok');
        assert.equal(check({ checksums: [{ algorithm, expected: wrong }] }), 'BadDigest');
        const trailer = (expected: string) => () => [{ algorithm, expected }];
        assert.equal(check({ checksums: [{ algorithm }], trailingChecksums: trailer(right) }), 'ok');
        assert.equal(check({ checksums: [{ algorithm }], trailingChecksums: trailer(wrong) }), 'BadDigest');
        const both = { checksums: [{ algorithm, expected: wrong }], trailingChecksums: trailer(right) };
        assert.equal(check(both), 'BadDigest', `${algorithm} announced up front and again, rightly, as a trailer`);
      }
    });

    test(`of ${way} refuse a trailer that nobody announced`, () => {
      const expected = checksumOf('SHA256', Buffer.from('a')).toString('base64');
      const announced = { trailingChecksums: () => [{ algorithm: 'SHA256' as const, expected }] };
      assert.equal(
        codeOf(() => hash([Buffer.from('a')], announced)),
        'MalformedTrailerError',
      );
    });
  }
});

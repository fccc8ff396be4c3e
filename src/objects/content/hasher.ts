import { createHash, hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { type Checksum, createChecksum } from '../checksums/checksum.ts';
import { objectError } from '../errors.ts';
import type { IncomingContent } from '../gateway.ts';
import type { ChecksumAlgorithm, ObjectChecksum } from '../object.ts';

/** What was learned of a content while it passed. */
export interface ContentDigests {
  /** 32 hexadecimal digits. */
  readonly md5: string;
  readonly crc32: number;
  /** Those that were asked for. */
  readonly checksums: readonly ObjectChecksum[];
}

type Announced = Pick<IncomingContent, 'md5' | 'sha256' | 'checksums' | 'trailingChecksums'>;

/**
 * Computes the digests of a content as it passes, only those that are needed, and compares them with what the client said
 * they would be.
 */
export class ContentHasher {
  readonly #announced: Announced;
  readonly #checksums = new Map<ChecksumAlgorithm, Checksum>();
  readonly #md5 = createHash('md5');
  readonly #sha256;
  #crc32 = 0;

  constructor(announced: Announced) {
    this.#announced = announced;
    this.#sha256 = announced.sha256 === undefined ? null : createHash('sha256');
    for (const { algorithm } of announced.checksums ?? []) {
      // CRC32 is computed anyway.
      if (algorithm !== 'CRC32') this.#checksums.set(algorithm, createChecksum(algorithm));
    }
  }

  update(chunk: Buffer): void {
    this.#md5.update(chunk);
    this.#crc32 = crc32(chunk, this.#crc32);
    this.#sha256?.update(chunk);
    for (const checksum of this.#checksums.values()) checksum.update(chunk);
  }

  /** Throws `BadDigest` and its kin when the content is not what was announced. Call it once, after a clean end. */
  finish(): ContentDigests {
    const md5 = this.#md5.digest('hex');
    return settle(this.#announced, { md5, crc32: this.#crc32, sha256: this.#sha256?.digest('hex') }, (algorithm) =>
      this.#checksums.get(algorithm)!.digest(),
    );
  }
}

/** {@link ContentHasher} for a content in one buffer, where one call a digest is faster. */
export function hashBuffer(content: Buffer, announced: Announced): ContentDigests {
  const plain = {
    md5: hash('md5', content, 'hex'),
    crc32: crc32(content),
    sha256: announced.sha256 === undefined ? undefined : hash('sha256', content, 'hex'),
  };
  return settle(announced, plain, (algorithm) => {
    const checksum = createChecksum(algorithm);
    checksum.update(content);
    return checksum.digest();
  });
}

function settle(
  announced: Announced,
  plain: { readonly md5: string; readonly crc32: number; readonly sha256: string | undefined },
  digestOf: (algorithm: ChecksumAlgorithm) => Buffer,
): ContentDigests {
  if (announced.md5 !== undefined && announced.md5.toString('hex') !== plain.md5) {
    throw objectError('BadDigest', {}, 'The Content-MD5 that was sent does not match the content that came.');
  }
  if (announced.sha256 !== undefined && announced.sha256 !== plain.sha256) {
    throw objectError('XAmzContentSHA256Mismatch');
  }
  // What was said up front and what was said at the end must both be right.
  const expected = new Map<ChecksumAlgorithm, string[]>();
  for (const one of announced.checksums ?? []) {
    expected.set(one.algorithm, one.expected === undefined ? [] : [one.expected]);
  }
  for (const one of announced.trailingChecksums?.() ?? []) {
    const values = expected.get(one.algorithm);
    if (values === undefined) throw objectError('MalformedTrailerError');
    values.push(one.expected);
  }
  const checksums: ObjectChecksum[] = [];
  for (const [algorithm, wanted] of expected) {
    const digest = algorithm === 'CRC32' ? uint32(plain.crc32) : digestOf(algorithm);
    const value = digest.toString('base64');
    if (wanted.some((one) => one !== value)) {
      throw objectError(
        'BadDigest',
        { algorithm },
        `The ${algorithm} you specified did not match the calculated checksum.`,
      );
    }
    checksums.push({ algorithm, value, type: 'FULL_OBJECT' });
  }
  return { md5: plain.md5, crc32: plain.crc32, checksums };
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

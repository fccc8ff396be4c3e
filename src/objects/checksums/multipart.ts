import { objectError } from '../errors.ts';
import type { ChecksumAlgorithm, ObjectChecksum } from '../object.ts';
import { type CrcAlgorithm, combineCrc } from './combine-crc.ts';
import { checksumOf } from './checksum.ts';
import { formatDigest } from './value.ts';

export type ChecksumType = ObjectChecksum['type'];

/** What a part brings to the checksum of the whole. */
export interface PartDigest {
  readonly digest: Buffer;
  readonly sizeBytes: number;
}

function isCrc(algorithm: ChecksumAlgorithm): algorithm is CrcAlgorithm {
  return algorithm.startsWith('CRC');
}

/**
 * The type that a multipart upload has when its client names none: CRC64NVME is only known for whole objects, all others are
 * checksums of checksums ("Checking object integrity" in the Amazon S3 user guide).
 */
export function defaultChecksumType(algorithm: ChecksumAlgorithm): ChecksumType {
  return algorithm === 'CRC64NVME' ? 'FULL_OBJECT' : 'COMPOSITE';
}

/**
 * The type in an `x-amz-checksum-type` header, or the algorithm's own without one. Throws `InvalidRequest` for an unknown
 * type and for one that the algorithm does not have: the SHA family cannot be combined, CRC64NVME is never composite.
 */
export function parseChecksumType(algorithm: ChecksumAlgorithm, text: string | undefined): ChecksumType {
  if (text === undefined) return defaultChecksumType(algorithm);
  const field = 'x-amz-checksum-type';
  if (text !== 'COMPOSITE' && text !== 'FULL_OBJECT') {
    throw objectError('InvalidRequest', { field }, `Value for ${field} header is invalid.`);
  }
  const hasIt = text === 'COMPOSITE' ? algorithm !== 'CRC64NVME' : isCrc(algorithm);
  if (!hasIt) {
    const message = `The ${text} checksum type cannot be used with the ${algorithm.toLowerCase()} checksum algorithm.`;
    throw objectError('InvalidRequest', { field }, message);
  }
  return text;
}

/**
 * The checksum of an object made of parts, in order; at least one. A composite one is the digest of the parts' digests in
 * binary, written with `-` and their number; a whole one is what the object's bytes in one piece would have.
 */
export function checksumOfParts(
  algorithm: ChecksumAlgorithm,
  type: ChecksumType,
  parts: readonly PartDigest[],
): ObjectChecksum {
  if (type === 'COMPOSITE') {
    const digest = checksumOf(algorithm, Buffer.concat(parts.map((part) => part.digest)));
    return { algorithm, type, value: `${formatDigest(digest)}-${parts.length}` };
  }
  if (!isCrc(algorithm)) throw new TypeError(`${algorithm} digests of parts cannot be combined`);
  const whole = parts.reduce((before, part) => ({
    digest: combineCrc(algorithm, before.digest, part.digest, part.sizeBytes),
    sizeBytes: before.sizeBytes + part.sizeBytes,
  }));
  return { algorithm, type, value: formatDigest(whole.digest) };
}

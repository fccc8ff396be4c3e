import type { ChecksumAlgorithm } from '../object.ts';

/** What S3 verifies uploads with: the checksums that it keeps with an object, and the older `Content-MD5`. */
export type DigestAlgorithm = ChecksumAlgorithm | 'MD5';

/** The checksums that S3 keeps, as `x-amz-checksum-algorithm` names them. */
export const checksumAlgorithms: readonly ChecksumAlgorithm[] = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'];

const lengths: Readonly<Record<DigestAlgorithm, number>> = {
  CRC32: 4,
  CRC32C: 4,
  CRC64NVME: 8,
  MD5: 16,
  SHA1: 20,
  SHA256: 32,
};

/** How long a digest is, in bytes. */
export function digestLength(algorithm: DigestAlgorithm): number {
  return lengths[algorithm];
}

/** The header, or trailer, that carries a digest, in lower case. */
export function checksumHeader(algorithm: DigestAlgorithm): string {
  return algorithm === 'MD5' ? 'content-md5' : `x-amz-checksum-${algorithm.toLowerCase()}`;
}

const byHeader: ReadonlyMap<string, ChecksumAlgorithm> = new Map(
  checksumAlgorithms.map((algorithm) => [checksumHeader(algorithm), algorithm]),
);

/** The algorithm of an `x-amz-checksum-…` header or trailer, named in lower case; `undefined` for any other header. */
export function algorithmOfHeader(name: string): ChecksumAlgorithm | undefined {
  return byHeader.get(name);
}

/** The algorithm that a client names, in any case; `undefined` for an unknown one. */
export function parseAlgorithm(text: string): ChecksumAlgorithm | undefined {
  const wanted = text.toUpperCase();
  return checksumAlgorithms.find((algorithm) => algorithm === wanted);
}

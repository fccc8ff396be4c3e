import { objectError } from '../errors.ts';
import { type DigestAlgorithm, checksumHeader, digestLength } from './algorithm.ts';

/**
 * The digest that a client gave in base64 with a header or trailer. Throws `InvalidRequest` unless it is exactly the base64
 * of as many bytes as the algorithm gives, or `InvalidDigest` for `Content-MD5`, as S3 does.
 */
export function parseDigest(algorithm: DigestAlgorithm, text: string): Buffer {
  // The longest is SHA-256 with 44 characters; nothing longer needs decoding.
  const digest = Buffer.from(text.slice(0, 64), 'base64');
  if (digest.length === digestLength(algorithm) && digest.toString('base64') === text) return digest;
  const field = checksumHeader(algorithm);
  if (algorithm === 'MD5') throw objectError('InvalidDigest', { field });
  throw objectError('InvalidRequest', { field }, `Value for ${field} header is invalid.`);
}

/** A digest as headers, XML and the ledger carry it. */
export function formatDigest(digest: Buffer): string {
  return digest.toString('base64');
}

/** Throws `BadDigest` unless the digest of what came is the one that the client announced. */
export function assertDigest(algorithm: DigestAlgorithm, announced: Buffer, actual: Buffer): void {
  if (announced.equals(actual)) return;
  const name = algorithm === 'MD5' ? 'Content-MD5' : algorithm;
  throw objectError(
    'BadDigest',
    { field: checksumHeader(algorithm), announced: formatDigest(announced), calculated: formatDigest(actual) },
    `The ${name} you specified did not match the calculated checksum.`,
  );
}

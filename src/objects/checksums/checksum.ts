import { type Hash, createHash, hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { DigestAlgorithm } from './algorithm.ts';
import { crc32c } from './crc32c.ts';
import { Crc64Nvme } from './crc64nvme.ts';

/** A digest that grows with its input. */
export interface Checksum {
  update(chunk: Uint8Array): void;
  /** The digest, big-endian for CRCs, as S3 writes it before base64. Nothing may be added afterwards. */
  digest(): Buffer;
}

const cryptoNames = { SHA1: 'sha1', SHA256: 'sha256', MD5: 'md5' } as const;

/** The digest of no bytes yet. */
export function createChecksum(algorithm: DigestAlgorithm): Checksum {
  if (algorithm === 'CRC32') return new Crc32(crc32);
  if (algorithm === 'CRC32C') return new Crc32(crc32c);
  if (algorithm === 'CRC64NVME') return new Crc64Nvme();
  return new CryptoChecksum(cryptoNames[algorithm]);
}

/** The digest of bytes that are all there: one call of the native code, where that has one. */
export function checksumOf(algorithm: DigestAlgorithm, bytes: Uint8Array): Buffer {
  if (algorithm === 'SHA1' || algorithm === 'SHA256' || algorithm === 'MD5') {
    return hash(cryptoNames[algorithm], bytes, 'buffer');
  }
  const checksum = createChecksum(algorithm);
  checksum.update(bytes);
  return checksum.digest();
}

/** A CRC of 32 bits over a function that continues from an earlier value. */
class Crc32 implements Checksum {
  readonly #extend: (chunk: Uint8Array, value: number) => number;
  #value = 0;

  constructor(extend: (chunk: Uint8Array, value: number) => number) {
    this.#extend = extend;
  }

  update(chunk: Uint8Array): void {
    this.#value = this.#extend(chunk, this.#value);
  }

  digest(): Buffer {
    const digest = Buffer.allocUnsafe(4);
    digest.writeUInt32BE(this.#value);
    return digest;
  }
}

class CryptoChecksum implements Checksum {
  readonly #hash: Hash;

  constructor(name: string) {
    this.#hash = createHash(name);
  }

  update(chunk: Uint8Array): void {
    this.#hash.update(chunk);
  }

  digest(): Buffer {
    return this.#hash.digest();
  }
}

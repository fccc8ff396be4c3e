import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

const keyBytes = 32;
const checkBytes = 4;

/**
 * A new DH-HMAC-CHAP key of 256 bits as text: `DHHC-1:00:<base64 of key and CRC-32, little-endian>:`. `00` says that it is used
 * as it is, and not made another by a hash with the host's name.
 *
 * @see NVM Express Base Specification 2.0, 8.13.5 (DH-HMAC-CHAP, secret representation), and `nvme gen-dhchap-key` of nvme-cli
 */
export function newDhchapKey(): string {
  const key = randomBytes(keyBytes);
  const check = Buffer.alloc(checkBytes);
  check.writeUInt32LE(crc32(key));
  return `DHHC-1:00:${Buffer.concat([key, check]).toString('base64')}:`;
}

import { hash } from 'node:crypto';

/**
 * The serial that Holdfast gives a disk of its own: `hf` and 18 digits of base 36, the last of the SHA-256 of the whole
 * volume id. virtio keeps only 20 bytes of a serial, and the first 20 digits of a UUIDv7 are nearly all time: volumes
 * made in one millisecond would share them. Here 93 bits tell volumes apart, and since `h` is no hexadecimal digit
 * it is never the start of a UUID.
 */
export function volumeSerial(volumeId: string): string {
  const digest = BigInt(`0x${hash('sha256', volumeId)}`);
  return `hf${digest.toString(36).padStart(18, '0').slice(-18)}`;
}

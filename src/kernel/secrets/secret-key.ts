import { createHmac } from 'node:crypto';

/** The key of this installation, from which all keys that seal secrets are derived. */
export interface SecretKey {
  /** Names the key without telling anything of it. Sealed texts carry it. */
  readonly id: string;
  readonly bytes: Buffer;
  /** For people: where it came from, such as `HOLDFAST_SECRET_KEY`. */
  readonly origin: string;
}

/** How many bytes a key has: those of AES-256. */
export const secretKeyBytes = 32;

/**
 * A key from its base64 text (RFC 4648, section 4; white space around it does not count). Gives `null` for any other
 * text, also for one that is only nearly right: bits that the last letter should not have are a sign of a broken copy.
 */
export function parseSecretKey(text: string, origin: string): SecretKey | null {
  const trimmed = text.trim();
  const bytes = Buffer.from(trimmed, 'base64');
  if (bytes.length !== secretKeyBytes || bytes.toString('base64') !== trimmed) return null;
  return toSecretKey(bytes, origin);
}

/** Names a key by a one-way function of it. Throws `RangeError` for a wrong number of bytes. */
export function toSecretKey(bytes: Buffer, origin: string): SecretKey {
  if (bytes.length !== secretKeyBytes) throw new RangeError(`a secret key has ${secretKeyBytes} bytes`);
  const id = createHmac('sha256', bytes).update('holdfast: id of the secret key').digest('hex').slice(0, 12);
  return { id, bytes, origin };
}

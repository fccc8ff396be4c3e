import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';

/** The bytes of every symmetric key here: those of AES-256. */
export const keyBytes = 32;
const saltBytes = 16;
const tagBytes = 16;
/** Salt, wrapped key and tag. */
const wrappedBytes = saltBytes + keyBytes + tagBytes;
const noNonce = Buffer.alloc(12);

/**
 * Wraps a key of 32 bytes with another one. `about` says what it is for, and must be said again to unwrap it. Every wrapping
 * has an AES-256-GCM key of its own, made of the outer key and a random salt (HMAC-SHA-256), so that the number of keys
 * that one key may wrap is not bounded by the length of a nonce (NIST SP 800-38D, 8.3). Gives 64 bytes as base64.
 */
export function wrapKey(outer: Buffer, inner: Buffer, about: string): string {
  const salt = randomBytes(saltBytes);
  const cipher = createCipheriv('aes-256-gcm', wrappingKey(outer, salt), noNonce);
  cipher.setAAD(Buffer.from(about));
  const sealed = cipher.update(inner);
  cipher.final();
  return Buffer.concat([salt, sealed, cipher.getAuthTag()]).toString('base64');
}

/** What `wrapKey` wrapped; `null` when the key, `about` or the text is another one. */
export function unwrapKey(outer: Buffer, wrapped: string, about: string): Buffer | null {
  const bytes = Buffer.from(wrapped, 'base64');
  if (bytes.length !== wrappedBytes) return null;
  const key = wrappingKey(outer, bytes.subarray(0, saltBytes));
  const decipher = createDecipheriv('aes-256-gcm', key, noNonce, { authTagLength: tagBytes });
  decipher.setAAD(Buffer.from(about));
  decipher.setAuthTag(bytes.subarray(saltBytes + keyBytes));
  const inner = decipher.update(bytes.subarray(saltBytes, saltBytes + keyBytes));
  try {
    decipher.final();
  } catch {
    return null;
  }
  return inner;
}

function wrappingKey(outer: Buffer, salt: Buffer): Buffer {
  return createHmac('sha256', outer).update('holdfast: wrapping, version 1').update(salt).digest();
}

/** A key for another purpose than that of the key it is derived from. */
export function deriveKey(key: Buffer, purpose: string): Buffer {
  return createHmac('sha256', key).update(`holdfast: ${purpose}, version 1`).digest();
}

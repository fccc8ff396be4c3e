import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { HoldfastError } from '../errors/errors.ts';
import type { SecretKey } from './secret-key.ts';

/** Seals short secrets, so that the store, its backups and its replicas hold nothing that can be used. */
export interface Sealer {
  /** The id of the key that seals. */
  readonly keyId: string;
  /**
   * Seals a text. `about` says what it belongs to, such as `access-key:HF…`, and must be said again to open it: a sealed
   * text that was moved to another row does not open there. Throws `invalid` for a text that is too long.
   */
  seal(plain: string, about: string): string;
  /**
   * Opens what `seal` gave. Throws `internal` for a text that was changed, moved, or sealed with another key; the sentence
   * says which, as far as that can be known. Another key than the one that the text names is never tried.
   */
  open(sealed: string, about: string): string;
}

const version = 'hfs1';
const algorithm = 'aes-256-gcm';
/** NIST SP 800-38D, 8.2.2: 96 random bits are enough for 2^32 texts under one key. */
const nonceBytes = 12;
const tagBytes = 16;
/** Secrets are keys and passwords; what is longer is no secret but content. */
const plainBytesMax = 65_536;

/**
 * Sealed texts are `hfs1.<key id>.<nonce, ciphertext and tag as base64url>`. The version names the whole construction:
 * AES-256-GCM under a key that HKDF-SHA-256 (RFC 5869) derives for this purpose alone, with the version, the key id and
 * `about` as associated data.
 */
export function createSealer(key: SecretKey): Sealer {
  const sealing = Buffer.from(hkdfSync('sha256', key.bytes, '', 'holdfast: sealing, version 1', 32));
  const header = `${version}.${key.id}.`;
  return {
    keyId: key.id,
    seal(plain, about) {
      if (Buffer.byteLength(plain) > plainBytesMax) {
        throw new HoldfastError('invalid', `A secret has at most ${plainBytesMax} bytes.`);
      }
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(algorithm, sealing, nonce, { authTagLength: tagBytes });
      cipher.setAAD(Buffer.from(header + about));
      const body = Buffer.concat([nonce, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      return header + body.toString('base64url');
    },
    open(sealed, about) {
      const body = bodyOf(sealed, key);
      const nonce = body.subarray(0, nonceBytes);
      const decipher = createDecipheriv(algorithm, sealing, nonce, { authTagLength: tagBytes });
      decipher.setAAD(Buffer.from(header + about));
      decipher.setAuthTag(body.subarray(body.length - tagBytes));
      try {
        const plain = decipher.update(body.subarray(nonceBytes, body.length - tagBytes));
        return Buffer.concat([plain, decipher.final()]).toString('utf8');
      } catch (error) {
        throw broken('it was changed, or it belongs to something else', error);
      }
    },
  };
}

/** The bytes of a sealed text, after its version and key were checked. */
function bodyOf(sealed: string, key: SecretKey): Buffer {
  const [format, keyId, text, ...rest] = sealed.split('.');
  if (format !== version) throw broken('its format is not known');
  if (keyId === undefined || text === undefined || rest.length > 0) throw broken('it is not whole');
  if (keyId !== key.id) throw unknownKey(keyId, key);
  const body = Buffer.from(text, 'base64url');
  // The decoder passes over letters it does not know and over bits that no byte has; such a text is a changed one.
  const isExact = body.toString('base64url') === text;
  if (!isExact || body.length < nonceBytes + tagBytes) throw broken('it is not whole');
  return body;
}

function broken(reason: string, cause?: unknown): HoldfastError {
  return new HoldfastError('internal', `A sealed secret cannot be opened: ${reason}.`, {}, cause);
}

function unknownKey(keyId: string, key: SecretKey): HoldfastError {
  const shown = /^[0-9a-f]{1,64}$/.test(keyId) ? keyId : 'that is not known';
  const message = `A sealed secret cannot be opened: it was sealed with the key ${shown}, and this server has ${key.id}.`;
  return new HoldfastError('internal', message, { key_id: key.id });
}

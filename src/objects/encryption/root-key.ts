import { HoldfastError } from '../../kernel/errors/errors.ts';
import { unwrapKey, wrapKey } from './wrap.ts';

/** A key that comes from configuration. It wraps key-encryption keys and nothing else. */
export interface RootKey {
  readonly id: string;
  /** For people: where it is, such as `ENCRYPTION_KEYS` or a file. */
  readonly origin: string;
  /** Wraps a key-encryption key, bound to its id. Throws `unavailable` when the key cannot be asked. */
  wrap(kek: Buffer, kekId: string): Promise<string>;
  /** Throws `invalid` when it was not wrapped by this key, and `unavailable` when the key cannot be asked. */
  unwrap(wrapped: string, kekId: string): Promise<Buffer>;
}

/** A root key whose bytes are in this process's memory. */
export function localRootKey(id: string, bytes: Buffer, origin: string): RootKey {
  const about = (kekId: string) => `key-encryption key\n${id}\n${kekId}`;
  return {
    id,
    origin,
    wrap: async (kek, kekId) => wrapKey(bytes, kek, about(kekId)),
    async unwrap(wrapped, kekId) {
      const kek = unwrapKey(bytes, wrapped, about(kekId));
      if (kek === null) throw notWrappedBy(id, origin, kekId);
      return kek;
    },
  };
}

export function notWrappedBy(id: string, origin: string, kekId: string, cause?: unknown): HoldfastError {
  const message = `The key ${kekId} cannot be unwrapped: the root key ${id} (from ${origin}) is not the one that wrapped it.`;
  return new HoldfastError('invalid', message, { key_id: kekId, root_key_id: id }, cause);
}

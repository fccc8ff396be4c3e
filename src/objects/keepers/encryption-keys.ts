import type { Keeper } from '../../kernel/keepers/keeper.ts';
import type { ObjectBackendRegistry } from '../backends/registry.ts';
import { keepKeyBlobs } from '../encryption/key-blobs.ts';
import type { Keyring } from '../encryption/keyring.ts';

export interface EncryptionKeyKeeperOptions {
  readonly keyring: Keyring;
  readonly registry: ObjectBackendRegistry;
  readonly periodMs: number;
  onError(error: unknown, about: string): void;
}

/** Keeps wrapped keys on every backend: on one that was away or is new, and in place of those wrapped by a former root key. */
export function encryptionKeyKeeper({ keyring, registry, periodMs, onError }: EncryptionKeyKeeperOptions): Keeper {
  return {
    name: 'object-encryption-keys',
    summary: 'Keeps the wrapped encryption keys on every backend, so that the ledger can be rebuilt from them.',
    periodMs,
    run: async (signal) => {
      // What is in memory may be older than what another process has made of the keys.
      await keyring.refresh();
      return `${await keepKeyBlobs(registry, keyring.keks, signal, onError)} keys put on backends`;
    },
  };
}

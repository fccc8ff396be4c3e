import { randomBytes } from 'node:crypto';
import { createIdSource, systemClock } from '../../src/kernel/ids.ts';
import type { Store } from '../../src/kernel/store/store.ts';
import type { ObjectBackendRegistry } from '../../src/objects/backends/registry.ts';
import { keepKeyBlobs } from '../../src/objects/encryption/key-blobs.ts';
import { Keyring } from '../../src/objects/encryption/keyring.ts';
import type { RootKeys } from '../../src/objects/encryption/load-root-keys.ts';
import { type RootKey, localRootKey } from '../../src/objects/encryption/root-key.ts';

/** Root keys with these ids; the first one is current. */
export function testRootKeys(...ids: readonly string[]): RootKeys {
  return rootKeysOf(ids.map((id) => localRootKey(id, randomBytes(32), 'test')));
}

export function rootKeysOf(keys: readonly RootKey[]): RootKeys {
  return { current: keys[0]!, byId: new Map(keys.map((key) => [key.id, key])) };
}

/** A keyring on a store of a test. */
export function openTestKeyring(
  store: Store,
  rootKeys: RootKeys,
  registry: ObjectBackendRegistry | null = null,
  onError: (error: unknown) => void = rethrow,
): Promise<Keyring> {
  return Keyring.open({
    store,
    rootKeys,
    newId: createIdSource(),
    clock: systemClock,
    save: async (keks) => {
      if (registry !== null) await keepKeyBlobs(registry, keks, AbortSignal.timeout(5_000), rethrow);
    },
    onError,
  });
}

function rethrow(error: unknown): void {
  throw error;
}

import type { Keeper, KeeperPlan } from '../../kernel/keepers/keeper.ts';
import type { ObjectBackendRegistry } from '../backends/registry.ts';
import { keepKeyBlobs, keyBlobChanges } from '../encryption/key-blobs.ts';
import type { Keyring } from '../encryption/keyring.ts';
import { CostSheet } from './cost-sheet.ts';

export interface EncryptionKeyKeeperOptions {
  readonly keyring: Keyring;
  readonly registry: ObjectBackendRegistry;
  readonly periodMs: number;
  onError(error: unknown, about: string): void;
}

/** Keeps wrapped keys on every backend: on one that was away or is new, and in place of those wrapped by a former root key. */
export function encryptionKeyKeeper(options: EncryptionKeyKeeperOptions): Keeper {
  const { keyring, registry, periodMs, onError } = options;
  return {
    name: 'object-encryption-keys',
    summary: 'Keeps the wrapped encryption keys on every backend, so that the ledger can be rebuilt from them.',
    periodMs,
    run: async (signal) => {
      // What is in memory may be older than what another process has made of the keys.
      await keyring.refresh();
      return `${await keepKeyBlobs(registry, keyring.keks, signal, onError)} keys put on backends`;
    },
    plan: (signal) => plan(options, signal),
  };
}

async function plan({ keyring, registry }: EncryptionKeyKeeperOptions, signal: AbortSignal): Promise<KeeperPlan> {
  await keyring.refresh();
  const sheet = new CostSheet();
  for (const known of registry.all) {
    const { name } = known;
    sheet.add(name, { requests: 1 });
    try {
      for (const { key, content, former } of await keyBlobChanges(known, keyring.keks, signal)) {
        if (content !== null) {
          sheet.add(name, { requests: 1, ingressBytes: content.length });
          sheet.step('write', `${key} on ${name}`, content.length);
        }
        for (const one of former) {
          sheet.add(name, { requests: 1 });
          sheet.step('delete', `${one} on ${name}`, 0);
        }
      }
    } catch (error) {
      signal.throwIfAborted();
      sheet.warn(`${name} could not be looked at: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return sheet.plan((count) => `${count} wrapped keys would be written or removed.`, true);
}

import { HoldfastError } from '../../kernel/errors/errors.ts';
import { createIdSource, systemClock } from '../../kernel/ids.ts';
import { createSealer } from '../../kernel/secrets/sealer.ts';
import { toSecretKey } from '../../kernel/secrets/secret-key.ts';
import { kernelMigration } from '../../kernel/store/migrations/0001_kernel.ts';
import { keepersMigration } from '../../kernel/store/migrations/0009_keepers.ts';
import type { SqlValue, Store } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import { type StoreEngine, openFresh } from '../../../test/support/stores.ts';
import { objectsMigration } from '../migrations/0003_objects.ts';
import { usageFlushesMigration } from '../migrations/0005_usage_flushes.ts';
import { keepingMigration } from '../migrations/0016_keeping.ts';
import type { ObjectBackend, ObjectBackendKind } from './backend.ts';
import { MemoryObjectBackend } from './memory/memory.ts';
import { BackendService, type NewBackend } from './management/service.ts';
import { type ManagedRegistry, type StoreRegistryOptions, openObjectBackendRegistry } from './store-registry.ts';
import { UsageBook } from './usage.ts';

export const backendMigrations = [
  kernelMigration,
  objectsMigration,
  usageFlushesMigration,
  keepersMigration,
  keepingMigration,
];

export const testSealer = createSealer(toSecretKey(Buffer.alloc(32, 7), 'a test'));

/** Real systems by their place: what is opened there twice is one. `opens` and `closes` count by place. */
export class MemoryPlaces {
  readonly places = new Map<string, MemoryObjectBackend>();
  readonly opens: string[] = [];
  readonly closes: string[] = [];

  at(place: string): MemoryObjectBackend {
    const known = this.places.get(place) ?? new MemoryObjectBackend();
    this.places.set(place, known);
    return known;
  }

  /** Backends of the kind `memory`: `place` says which, the secret `password` must be `open sesame` where there is one. */
  readonly kind: ObjectBackendKind = {
    kind: 'memory',
    validate: ({ config, secrets }) => {
      if (config['place'] === undefined) {
        throw new HoldfastError('invalid', 'The field "config.place" is missing.', { field: 'config.place' });
      }
      return { config: { speed: 'fast', ...config }, secrets };
    },
    open: ({ config, secrets }) => this.#open(config['place']!, secrets['password']),
  };

  #open(place: string, password: string | undefined): ObjectBackend {
    if (place === 'impossible') throw new HoldfastError('invalid', 'There is no such place.');
    const memory = this.at(place);
    this.opens.push(place);
    const isWrong = password !== undefined && password !== 'open sesame';
    return new Proxy(memory, {
      get: (target, property) => {
        if (property === 'close') return async () => void this.closes.push(place);
        if (property === 'health' && isWrong) {
          return () => Promise.reject(new HoldfastError('backend', 'The password is wrong.'));
        }
        const member: unknown = Reflect.get(target, property, target);
        return typeof member === 'function' ? member.bind(target) : member;
      },
    });
  }
}

/** Everything that manages backends on a store, as one process has it. */
export interface BackendRig extends AsyncDisposable {
  readonly store: Store;
  readonly places: MemoryPlaces;
  readonly registry: ManagedRegistry;
  readonly usage: UsageBook;
  readonly service: BackendService;
  readonly errors: unknown[];
}

export async function openBackends(
  store: Store,
  options: Partial<StoreRegistryOptions> & { readonly places?: MemoryPlaces } = {},
): Promise<BackendRig> {
  const errors: unknown[] = [];
  const onError = (error: unknown) => void errors.push(error);
  const places = options.places ?? new MemoryPlaces();
  const kinds = new Map([['memory', places.kind]]);
  const usage = new UsageBook({ store, clock: systemClock, newId: createIdSource(), onError });
  await usage.start();
  const shared = { store, sealer: testSealer, kinds, usage };
  const registry = await openObjectBackendRegistry({ ...shared, onError, ...options });
  const service = new BackendService({ ...shared, registry, clock: systemClock });
  return {
    store,
    places,
    registry,
    usage,
    service,
    errors,
    async [Symbol.asyncDispose]() {
      await registry.close();
      await usage.close();
    },
  };
}

/** The same on a fresh store, which ends with it. */
export async function freshBackends(engine: StoreEngine): Promise<BackendRig> {
  const store = await openFresh(engine, backendMigrations);
  const rig = await openBackends(store);
  return {
    ...rig,
    async [Symbol.asyncDispose]() {
      await rig[Symbol.asyncDispose]();
      await store.close();
    },
  };
}

/** Runs one statement. */
export const runStatement = transaction(
  import.meta.url,
  'runStatement',
  async (tx, { sql, values }: { readonly sql: string; readonly values: readonly SqlValue[] }): Promise<void> => {
    await tx.run(sql, values);
  },
);

/** A backend to add at a place of its own. */
export function memoryAt(place: string, more: Partial<NewBackend> = {}): NewBackend {
  return {
    name: place,
    kind: 'memory',
    config: { place },
    secrets: {},
    labels: {},
    position: null,
    isTestSkipped: false,
    ...more,
  };
}

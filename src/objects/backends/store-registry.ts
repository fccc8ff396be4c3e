import type { Clock } from '../../kernel/ids.ts';
import type { Sealer } from '../../kernel/secrets/sealer.ts';
import type { Reader, Store } from '../../kernel/store/store.ts';
import type { BackendRow } from '../tables.ts';
import type { ObjectBackend, ObjectBackendKind } from './backend.ts';
import { type BreakerPolicy, defaultBreakerPolicy } from './breaker.ts';
import {
  type GuardTimeouts,
  type GuardedBackend,
  type ObjectBackendObserver,
  type OnCircuit,
  defaultGuardTimeouts,
} from './guarded.ts';
import { ManagedBackend, type ManagedOptions } from './managed.ts';
import type { ObjectBackendRegistry } from './registry.ts';
import type { UsageBook } from './usage.ts';

/** Published with a backend's name when its row has changed. */
export const backendsTopic = 'object-backends';
/** More backends than this are not added. */
export const backendsMax = 200;

const pollMs = 2_000;
const probeMs = 1_000;
/** How long calls under way may go on at a backend whose settings changed, and at one when the server stops. */
const retireGraceMs = 60_000;
const closeGraceMs = 2_000;
/** How often opening is tried again where it failed: the reason may be outside, such as a program that is missing. */
const reopenMs = 30_000;

export interface StoreRegistryOptions {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly kinds: ReadonlyMap<string, ObjectBackendKind>;
  /** Started; the one who opened it closes it, after the registry. */
  readonly usage: UsageBook;
  readonly onError: (error: unknown, about: string) => void;
  readonly observe?: ObjectBackendObserver;
  readonly onCircuit?: OnCircuit;
  readonly policy?: BreakerPolicy;
  readonly timeouts?: GuardTimeouts;
  /** Puts something between the guard and each real backend: tests make them fail. */
  readonly wrapBackend?: (name: string, backend: ObjectBackend) => ObjectBackend;
  /** Monotonic. */
  readonly clock?: Clock;
  readonly random?: () => number;
}

/** The registry with what managing backends needs beside what the gateway does. */
export interface ManagedRegistry extends ObjectBackendRegistry {
  readonly all: readonly ManagedBackend[];
  get(name: string): ManagedBackend | null;
}

/**
 * Opens the backends of the store's rows and keeps them in step with the rows. One that cannot be opened is there with its
 * reason. Throws when the store cannot be read.
 */
export async function openObjectBackendRegistry(options: StoreRegistryOptions): Promise<ManagedRegistry> {
  const registry = new StoreRegistry(options);
  await registry.refresh();
  registry.start();
  return registry;
}

class StoreRegistry implements ManagedRegistry {
  readonly #options: StoreRegistryOptions;
  readonly #managed: ManagedOptions;
  readonly #byName = new Map<string, ManagedBackend>();
  readonly #retiring = new Map<ManagedBackend | GuardedBackend, Promise<void>>();
  readonly #timers: NodeJS.Timeout[] = [];
  #all: readonly ManagedBackend[] = [];
  #running: Promise<void> = Promise.resolve();
  #queued: Promise<void> | null = null;
  #unsubscribe: () => void = () => {};
  #isClosed = false;

  constructor(options: StoreRegistryOptions) {
    this.#options = options;
    const { kinds, sealer, usage } = options;
    this.#managed = {
      kinds,
      sealer,
      usage,
      policy: options.policy ?? defaultBreakerPolicy,
      timeouts: options.timeouts ?? defaultGuardTimeouts,
      clock: options.clock ?? { nowMs: () => performance.now() },
      random: options.random ?? Math.random,
      observe: options.observe ?? (() => {}),
      onCircuit: options.onCircuit ?? (() => {}),
      wrapBackend: options.wrapBackend ?? ((_name, backend) => backend),
    };
  }

  get all(): readonly ManagedBackend[] {
    return this.#all;
  }

  get(name: string): ManagedBackend | null {
    return this.#byName.get(name) ?? null;
  }

  start(): void {
    const refresh = () =>
      void this.refresh().catch((error: unknown) => this.#options.onError(error, 'reading backends'));
    const probe = () => {
      for (const backend of this.#all) void backend.probe();
    };
    this.#unsubscribe = this.#options.store.subscribe(backendsTopic, refresh);
    this.#timers.push(setInterval(refresh, pollMs).unref(), setInterval(probe, probeMs).unref());
  }

  /** What was committed before this call is known when it resolves. Calls that come while one waits share it. */
  refresh(): Promise<void> {
    this.#queued ??= this.#running.then(() => {
      this.#queued = null;
      const reading = this.#read();
      this.#running = reading.catch(() => {});
      return reading;
    });
    return this.#queued;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#unsubscribe();
    for (const timer of this.#timers) clearInterval(timer);
    await this.#running;
    for (const backend of this.#all) this.#retire(backend, backend.name, closeGraceMs);
    await Promise.all(
      [...this.#retiring].map(([backend, closing]) => Promise.all([backend.close(closeGraceMs), closing])),
    );
  }

  async #read(): Promise<void> {
    if (this.#isClosed) return;
    const rows = await this.#options.store.read(backendRows);
    const nowMs = this.#managed.clock.nowMs();
    const gone = new Map(this.#byName);
    for (const row of rows) {
      const known = this.#byName.get(row.name);
      gone.delete(row.name);
      if (known === undefined) this.#byName.set(row.name, new ManagedBackend(row, this.#managed));
      else this.#update(known, row, nowMs);
    }
    for (const [name, backend] of gone) {
      this.#byName.delete(name);
      this.#retire(backend, name, retireGraceMs);
    }
    this.#all = rows.map(({ name }) => this.#byName.get(name)!);
  }

  #update(known: ManagedBackend, row: BackendRow, nowMs: number): void {
    const isDue = known.problem !== null && nowMs - known.triedAtMs >= reopenMs;
    // One that was removed and added again may have the same version, but not the same time.
    if (row.version === known.version && row.created_at === known.createdAtMs && !isDue) return;
    const before = known.update(row);
    if (before !== null) this.#retire(before, row.name, retireGraceMs);
  }

  #retire(backend: ManagedBackend | GuardedBackend, name: string, graceMs: number): void {
    const closing = backend
      .close(graceMs)
      .catch((error: unknown) => this.#options.onError(error, `closing backend ${name}`))
      .finally(() => this.#retiring.delete(backend));
    this.#retiring.set(backend, closing);
  }
}

async function backendRows(reader: Reader): Promise<BackendRow[]> {
  return reader.rows<BackendRow>('select * from object_backends order by position, name limit ?', [2 * backendsMax]);
}

import { randomBytes } from 'node:crypto';
import { type Clock, type IdSource, createIdSource } from '../../src/kernel/ids.ts';
import type { Keeper } from '../../src/kernel/keepers/keeper.ts';
import { registerReplica, releaseReplica } from '../../src/kernel/operations/ownership.ts';
import { openStore } from '../../src/kernel/store/open.ts';
import type { Store } from '../../src/kernel/store/store.ts';
import { transaction } from '../../src/kernel/store/transaction.ts';
import { migrations } from '../../src/migrations.ts';
import { LentBuffers } from '../../src/objects/content/lent-buffers.ts';
import type { KnownBackend, ObjectBackendRegistry } from '../../src/objects/backends/registry.ts';
import { MemoryObjectBackend } from '../../src/objects/backends/memory/memory.ts';
import type { BucketSettings } from '../../src/objects/bucket.ts';
import { checkGateway } from '../../src/objects/checking/check-gateway.ts';
import type { CheckReport } from '../../src/objects/checking/report.ts';
import { type GatewayOptions, type RunningGateway, createObjectGateway } from '../../src/objects/create-gateway.ts';
import { ObjectEncryption } from '../../src/objects/encryption/encryption.ts';
import type { Keyring } from '../../src/objects/encryption/keyring.ts';
import type { RootKeys } from '../../src/objects/encryption/load-root-keys.ts';
import { cleanupKeeper } from '../../src/objects/keepers/cleanup.ts';
import { drainsKeeper } from '../../src/objects/keepers/drains.ts';
import { intentKeeper } from '../../src/objects/keepers/intents.ts';
import { overReplicationKeeper } from '../../src/objects/keepers/over-replication.ts';
import { readBackRule } from '../../src/objects/keepers/read-back.ts';
import { rebalancerKeeper } from '../../src/objects/keepers/rebalancer.ts';
import { type UnknownPolicy, reconcileKeeper } from '../../src/objects/keepers/reconcile.ts';
import { replicatorKeeper } from '../../src/objects/keepers/replicator.ts';
import { lifecycleKeeper } from '../../src/objects/keepers/lifecycle.ts';
import { quotaSettings } from '../../src/objects/quotas/quota-settings.ts';
import { userSettings } from '../../src/objects/access/user-settings.ts';
import { backendNotes } from '../../src/objects/backends/management/backend-notes.ts';
import { targetSettings } from '../../src/notifications/target-settings.ts';
import { type Sealer, createSealer } from '../../src/kernel/secrets/sealer.ts';
import { toSecretKey } from '../../src/kernel/secrets/secret-key.ts';
import type { SettingsKind } from '../../src/kernel/backups/settings.ts';
import { backupKeeper } from '../../src/objects/rebuilding/backup-keeper.ts';
import { rewriteKeeper } from '../../src/objects/keepers/rewriter.ts';
import { scrubKeeper } from '../../src/objects/keepers/scrub.ts';
import { uploadKeeper } from '../../src/objects/keepers/uploads.ts';
import { storageMigrator } from '../../src/objects/storage-migration/migrator.ts';
import type { Rate } from '../../src/objects/keepers/budget.ts';
import { enterStorageClasses } from '../../src/objects/ledger/storage-classes.ts';
import type { StorageClass } from '../../src/objects/storage-class.ts';
import type { Copy } from '../../src/objects/object.ts';
import type { StoreEngine } from '../support/stores.ts';
import { type CallWatch, interceptedBackend, watchCalls } from './intercepted-backend.ts';
import { type InterceptedStore, intercepted } from './intercepted-store.ts';
import { openTestKeyring } from './test-keys.ts';
import { type TestBackend, insertTestBackend } from './world.ts';

/** A backend in memory whose faults the test decides, and how it stands in the ledger. */
export interface LabBackend extends TestBackend {
  readonly backend: MemoryObjectBackend;
}

type LabKeeper =
  | 'backup'
  | 'cleanup'
  | 'drains'
  | 'intents'
  | 'rebalancer'
  | 'overReplication'
  | 'replicator'
  | 'rewriter'
  | 'uploads'
  | 'migrator'
  | 'lifecycle'
  | 'scrubber'
  | 'reconciler';

interface KeeperWishes {
  readonly secondLookMs?: number;
  readonly unhealthyAfterMs?: number;
  readonly readBack?: 'always' | 'never';
  readonly scrubRate?: Rate;
  readonly unknown?: UnknownPolicy;
}

/** A gateway process as a test sees it: it can be ended without a word and started again on the same store. */
export interface Lab {
  /** What the gateway is given: its writes can be made to fail. */
  readonly store: InterceptedStore;
  /** Its calls of backends: they can be made to fail. */
  readonly calls: CallWatch;
  readonly gateway: RunningGateway;
  readonly registry: ObjectBackendRegistry;
  /** `null` in a lab without root keys. */
  readonly keyring: Keyring | null;
  readonly encryption: ObjectEncryption;
  /** Of secrets in the store: its key is gone with the store. */
  readonly sealer: Sealer;
  /** What is backed up beside objects. */
  readonly settings: readonly SettingsKind[];
  readonly backends: readonly LabBackend[];
  readonly replicaId: string;
  readonly clock: LabClock;
  /** Where the store is, when that is a server. */
  readonly databaseUrl: string | undefined;
  /** Copies that were told to be bad, and errors that nobody saw. */
  readonly problems: string[];
  bucket(name: string, settings?: Partial<BucketSettings>): Promise<void>;
  setState(backend: string, state: State): Promise<void>;
  keepers(options?: KeeperWishes): Record<LabKeeper, Keeper>;
  /** Runs the keepers until nothing is left for them, or `roundsMax` is reached. */
  settle(roundsMax?: number): Promise<void>;
  check(): Promise<CheckReport>;
  /** Another process on the same store and backends. */
  another(): Promise<Lab>;
  /** Ends this process as `kill` would, in the ledger's eyes, and gives the one that comes after it. */
  restart(): Promise<Lab>;
  close(): Promise<void>;
}

/** A clock that can be put forward, for leases and waits. */
export class LabClock implements Clock {
  #aheadMs = 0;

  nowMs(): number {
    return Date.now() + this.#aheadMs;
  }

  advance(ms: number): void {
    this.#aheadMs += ms;
  }
}

type State = 'active' | 'draining' | 'purging';

const signal = new AbortController().signal;
const dayMs = 86_400_000;
const retryWaitMs = 5_000;
const noLimit: Rate = { bytesPerSecond: 1e12, requestsPerSecond: 1e9 };

export const setTestState = transaction(
  import.meta.url,
  'setTestState',
  async (tx, { name, state }: { readonly name: string; readonly state: string }) =>
    tx.run('update object_backends set state = ? where name = ?', [state, name]),
);

export const setTestQuota = transaction(
  import.meta.url,
  'setTestQuota',
  async (tx, { name, quotaBytes }: { readonly name: string; readonly quotaBytes: number }) =>
    tx.run('update object_backends set quota_bytes = ? where name = ?', [quotaBytes, name]),
);

export const setTestBucketSettings = transaction(
  import.meta.url,
  'setTestBucketSettings',
  async (tx, { name, settings }: { readonly name: string; readonly settings: string }) =>
    tx.run('update buckets set settings = ? where name = ?', [settings, name]),
);

/** Backends named `m1`, `m2`, … */
export function labBackends(count: number, more: Omit<Partial<LabBackend>, 'name' | 'backend'> = {}): LabBackend[] {
  return Array.from({ length: count }, (_, index) => ({
    ...more,
    name: `m${index + 1}`,
    backend: new MemoryObjectBackend(),
  }));
}

/** What reads of one gateway go by, beside its registry. */
type Reading = Pick<GatewayOptions, 'hedging' | 'cache'>;

export async function openLab(
  engine: StoreEngine,
  backends: readonly LabBackend[],
  rootKeys: RootKeys | null = null,
  classes: readonly StorageClass[] = [],
  reading: () => Reading = () => ({}),
): Promise<Lab> {
  const settings = await engine.fresh(migrations);
  const open = () => openStore(settings, { owner: true });
  const store = await open();
  for (const [position, { backend: _, ...row }] of backends.entries()) {
    await store.write(insertTestBackend, { ...row, position });
  }
  await store.write(enterStorageClasses, { classes });
  const { databaseUrl } = settings;
  const clock = new LabClock();
  const sealer = createSealer(toSecretKey(randomBytes(32), 'test'));
  return enter({ store, sealer, open, databaseUrl, backends, rootKeys, classes, reading, clock, isFirst: true });
}

interface Place {
  readonly store: Store;
  readonly sealer: Sealer;
  open(): Promise<Store>;
  readonly databaseUrl: string | undefined;
  readonly backends: readonly LabBackend[];
  readonly rootKeys: RootKeys | null;
  /** Of each gateway its own. */
  reading(): Reading;
  readonly classes: readonly StorageClass[];
  readonly clock: LabClock;
  /** Whether closing this one closes the store that all share. */
  readonly isFirst: boolean;
}

async function enter(place: Place): Promise<Lab> {
  const { store: real, backends, clock, sealer } = place;
  const rows = await real.read((reader) => reader.rows<StateRow>('select * from object_backends', []));
  const store = intercepted(real);
  const newId = createIdSource();
  const replicaId = newId('rep');
  // A lease also on the embedded store, so that two gateways can stand on it in one test.
  await real.write(registerReplica, { id: replicaId, ttlMs: 600_000, detail: 'test', nowMs: Date.now() });
  const calls = watchCalls();
  const { registry, setState } = labRegistry(backends, calls, rows, real);
  const problems: string[] = [];
  const owner = () => replicaId;
  const noteKeys = (error: unknown) => void problems.push(String(error));
  const keyring = place.rootKeys === null ? null : await openTestKeyring(real, place.rootKeys, registry, noteKeys);
  const encryption = new ObjectEncryption(keyring);
  const onBadCopy = (copy: Copy, reason: string) => void problems.push(`${copy.backend}: ${reason}`);
  const onError = (error: unknown, about: string) => void problems.push(`${about}: ${String(error)}`);
  const gateway = createObjectGateway({
    store,
    registry,
    encryption,
    storageClasses: place.classes,
    newId,
    clock,
    owner,
    stallMs: 200,
    retryWaitMs,
    ...place.reading(),
    onBadCopy,
    onError,
  });
  const settings = [backendNotes, userSettings(sealer), quotaSettings, targetSettings(sealer)];
  const shared = { store, registry, gateway, encryption, keyring, settings, newId, clock, owner, onBadCopy, onError };
  const lab: Lab = {
    store,
    calls,
    gateway,
    registry,
    keyring,
    encryption,
    sealer,
    settings,
    backends,
    replicaId,
    clock,
    databaseUrl: place.databaseUrl,
    problems,
    bucket: async (name, wish = {}) => void (await gateway.buckets.create(name, 'tester', wish)),
    setState: async (name, state) => {
      await real.write(setTestState, { name, state });
      setState(name, state);
    },
    keepers: (options) => labKeepers(shared, options),
    settle: (roundsMax = 12) => settle(lab, roundsMax),
    check: () => checkGateway(real, registry, { isDeep: true, signal }),
    another: async () => enter({ ...place, store: real.exclusive ? real : await place.open(), isFirst: false }),
    restart: async () => {
      await real.write(releaseReplica, { id: replicaId });
      return enter({ ...place, isFirst: false });
    },
    close: async () => {
      await gateway.writer.settle();
      await gateway.badCopies.settle();
      if (place.isFirst || !real.exclusive) await real.close();
    },
  };
  return lab;
}

interface KeeperParts {
  readonly store: Store;
  readonly registry: ObjectBackendRegistry;
  readonly gateway: RunningGateway;
  readonly encryption: ObjectEncryption;
  readonly keyring: Keyring | null;
  readonly settings: readonly SettingsKind[];
  readonly newId: IdSource;
  readonly clock: Clock;
  owner(): string;
  onBadCopy(copy: Copy, reason: string): void;
  onError(error: unknown, about: string): void;
}

function labKeepers(parts: KeeperParts, options: KeeperWishes = {}): Record<LabKeeper, Keeper> {
  const { store, registry, gateway, encryption, keyring, settings, newId, clock, owner, onBadCopy, onError } = parts;
  const { secondLookMs = 0, unhealthyAfterMs = 365 * dayMs, readBack = 'never' } = options;
  const { scrubRate: rate = noLimit, unknown = 'report' } = options;
  const { capacity, leftovers } = gateway.writer;
  const forget = gateway.locator.forget.bind(gateway.locator);
  const memory = new LentBuffers();
  const isReadBack = readBackRule(readBack);
  const moving = { store, registry, capacity, leftovers, newId, clock, memory, owner, isReadBack };
  const coding = { encryption, isEncrypted: keyring !== null };
  return {
    backup: backupKeeper({ store, registry, coding, settings, newId, clock, periodMs: 1, onError }),
    cleanup: cleanupKeeper({ store, registry, clock, owner, periodMs: 1, secondLookMs, retryWaitMs }),
    intents: intentKeeper(store, clock, 1),
    drains: drainsKeeper({ store, registry, clock }, 1),
    rebalancer: rebalancerKeeper({ ...moving, threshold: 0.1 }, 1),
    overReplication: overReplicationKeeper({ store, registry, clock }, 1),
    replicator: replicatorKeeper({ ...moving, retryWaitMs, unhealthyAfterMs }, 1),
    rewriter: rewriteKeeper({ store, registry, ...gateway, encryption, newId, clock, onBadCopy }, 1),
    migrator: storageMigrator({ ...moving, retryWaitMs }, 1),
    uploads: uploadKeeper({ store, clock, periodMs: 1, idleMsMax: 7 * dayMs, onError }),
    lifecycle: lifecycleKeeper({ store, newId, clock, forget, onError }, 1),
    scrubber: scrubKeeper({ store, registry, clock, memory, periodMs: 1, intervalMs: 30 * dayMs, rate, onError }),
    reconciler: reconcileKeeper({ store, registry, newId, clock, periodMs: 0, unknown, graceMs: dayMs, onError }),
  };
}

const left = `select (select count(*) from cleanup where state = 'waiting') + (select count(*) from shortfalls)
  + (select count(*) from surpluses where waits_for = '') as n`;

async function settle(lab: Lab, roundsMax: number): Promise<void> {
  const { intents, cleanup, replicator, overReplication } = lab.keepers();
  await lab.gateway.writer.settle();
  await lab.gateway.badCopies.settle();
  for (let round = 0; round < roundsMax; round++) {
    await lab.gateway.writer.leftovers.giveUp();
    for (const keeper of [intents, replicator, overReplication, cleanup]) await keeper.run(signal);
    const [row] = await lab.store.read((reader) => reader.rows<{ n: number | string }>(left, []));
    if (Number(row!.n) === 0) return;
    // Past every wait and every lease.
    lab.clock.advance(dayMs);
  }
}

interface StateRow {
  readonly name: string;
  readonly state: string;
}

/** As the real registry tells it: anything but active takes no new bytes. */
function known(state: string): 'active' | 'draining' {
  return state === 'active' ? state : 'draining';
}

function stateIn(rows: readonly StateRow[], name: string): 'active' | 'draining' {
  return known(rows.find((row) => row.name === name)?.state ?? 'removed');
}

function labRegistry(backends: readonly LabBackend[], calls: CallWatch, rows: readonly StateRow[], store: Store) {
  const all = backends.map(({ name, backend, quotaBytes = null, labels = {}, objectBytesMax = null }, position) => ({
    name,
    kind: 'memory',
    state: stateIn(rows, name),
    labels,
    position,
    quotaBytes,
    objectBytesMax,
    version: 1,
    backend: interceptedBackend(backend, calls),
    isOpenFor: () => true,
    isOver: () => false,
    latencyMs: 1,
  }));
  const get = (name: string): KnownBackend | null => all.find((one) => one.name === name) ?? null;
  const refresh = async () => {
    const now = await store.read((reader) => reader.rows<StateRow>('select * from object_backends', []));
    for (const one of all) one.state = stateIn(now, one.name);
  };
  const registry: ObjectBackendRegistry = { all, get, refresh, close: async () => {} };
  const setState = (name: string, state: State) => {
    all.find((one) => one.name === name)!.state = known(state);
  };
  return { registry, setState };
}

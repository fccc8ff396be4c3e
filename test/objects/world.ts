import { knownBackend } from '../../src/objects/backends/test-known-backend.ts';
import { createIdSource, systemClock } from '../../src/kernel/ids.ts';
import { registerReplica } from '../../src/kernel/operations/ownership.ts';
import { openStore, type StoreSettings } from '../../src/kernel/store/open.ts';
import type { Store } from '../../src/kernel/store/store.ts';
import { transaction } from '../../src/kernel/store/transaction.ts';
import { migrations } from '../../src/migrations.ts';
import type { ObjectBackend } from '../../src/objects/backends/backend.ts';
import { isBackendFault } from '../../src/objects/backends/backend.ts';
import { MemoryObjectBackend } from '../../src/objects/backends/memory/memory.ts';
import type { ObjectBackendRegistry } from '../../src/objects/backends/registry.ts';
import type { BucketSettings } from '../../src/objects/bucket.ts';
import { type Content, chunksOf } from '../../src/objects/content/content.ts';
import { type RunningGateway, createObjectGateway } from '../../src/objects/create-gateway.ts';
import { ObjectEncryption } from '../../src/objects/encryption/encryption.ts';
import type { RootKeys } from '../../src/objects/encryption/load-root-keys.ts';
import { enterStorageClasses } from '../../src/objects/ledger/storage-classes.ts';
import type { PutRequest } from '../../src/objects/gateway.ts';
import type { ObjectVersion } from '../../src/objects/object.ts';
import type { StoreEngine } from '../support/stores.ts';
import { openTestKeyring } from './test-keys.ts';

/** A backend of a test, and how the gateway is to know it. */
export interface TestBackend {
  readonly name: string;
  readonly backend: ObjectBackend;
  readonly quotaBytes?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly objectBytesMax?: number;
}

/** A gateway on a fresh store and on backends that a test holds in its hands. */
export interface GatewayWorld {
  readonly store: Store;
  readonly settings: StoreSettings;
  readonly gateway: RunningGateway;
  readonly registry: ObjectBackendRegistry;
  readonly replicaId: string;
  readonly problems: string[];
  bucket(name: string, settings?: Partial<BucketSettings>): Promise<void>;
  put(bucket: string, key: string, content: Content | string, more?: Partial<PutRequest>): Promise<ObjectVersion>;
  read(bucket: string, key: string, versionId?: string): Promise<Buffer>;
  /** Another process's view: its own replica and gateway on the same store. */
  another(): Promise<GatewayWorld>;
  close(): Promise<void>;
}

const insertBackend = transaction(
  import.meta.url,
  'insertTestBackend',
  async (
    tx,
    { name, quotaBytes, labels, objectBytesMax, position }: Omit<TestBackend, 'backend'> & { position: number },
  ) => {
    await tx.run(
      `insert into object_backends (name, kind, config, labels, state, position, quota_bytes, object_bytes_max, version,
         created_at, updated_at) values (?, 'memory', '{}', ?, 'active', ?, ?, ?, 1, 0, 0)`,
      [name, JSON.stringify(labels ?? {}), position, quotaBytes ?? null, objectBytesMax ?? null],
    );
  },
);
export { insertBackend as insertTestBackend };

/** What a store is opened on. */
export type FreshStore = Pick<StoreEngine, 'fresh'> & Partial<StoreEngine>;

/** One class beside STANDARD, which every backend may hold. */
const worldClasses = [{ name: 'COLD', labels: {} }];

export async function openWorld(
  engine: FreshStore,
  backends: readonly TestBackend[],
  rootKeys: RootKeys | null = null,
): Promise<GatewayWorld> {
  const settings = await engine.fresh(migrations);
  const store = await openStore(settings, { owner: true });
  for (const [position, { backend: _, ...row }] of backends.entries())
    await store.write(insertBackend, { ...row, position });
  await store.write(enterStorageClasses, { classes: worldClasses });
  return openOn({ store, settings, backends, rootKeys }, true);
}

/** One or more backends in memory, named `m1`, `m2`, … */
export function memoryBackends(count: number): (TestBackend & { readonly backend: MemoryObjectBackend })[] {
  return Array.from({ length: count }, (_, index) => ({ name: `m${index + 1}`, backend: new MemoryObjectBackend() }));
}

interface WorldPlace {
  readonly store: Store;
  readonly settings: StoreSettings;
  readonly backends: readonly TestBackend[];
  readonly rootKeys: RootKeys | null;
}

async function openOn(place: WorldPlace, isOwner: boolean): Promise<GatewayWorld> {
  const { store, settings, backends, rootKeys } = place;
  const newId = createIdSource();
  const replicaId = newId('rep');
  const leaseMs = store.exclusive ? null : 600_000;
  await store.write(registerReplica, { id: replicaId, ttlMs: leaseMs, detail: 'test', nowMs: Date.now() });
  const registry = fixedRegistry(backends);
  const problems: string[] = [];
  const keyring = rootKeys === null ? null : await openTestKeyring(store, rootKeys, registry);
  const gateway = createObjectGateway({
    store,
    registry,
    encryption: new ObjectEncryption(keyring),
    storageClasses: worldClasses,
    newId,
    clock: systemClock,
    owner: () => replicaId,
    stallMs: 500,
    retryWaitMs: 5_000,
    onBadCopy: (copy, reason) => problems.push(`${copy.backend}: ${reason}`),
    onError: (error, about) => problems.push(`${about}: ${String(error)}`),
  });
  return {
    store,
    settings,
    gateway,
    registry,
    replicaId,
    problems,
    bucket: async (name, wish = {}) => void (await gateway.buckets.create(name, 'tester', wish)),
    put: (bucket, key, content, more = {}) => gateway.objects.put(putRequest(bucket, key, content, more)),
    read: (bucket, key, versionId) => readAll(gateway, bucket, key, versionId),
    another: async () => openOn({ ...place, store: await openStore(settings, { owner: false }) }, false),
    close: async () => {
      await gateway.writer.settle();
      if (isOwner || !store.exclusive) await store.close();
    },
  };
}

export function putRequest(
  bucket: string,
  key: string,
  given: Content | string,
  more: Partial<PutRequest>,
): PutRequest {
  const content = typeof given === 'string' ? Buffer.from(given) : given;
  return {
    bucket,
    key,
    content,
    sizeBytes: Buffer.isBuffer(content) ? content.length : -1,
    attributes: { contentType: 'text/plain', headers: {}, metadata: {} },
    tags: {},
    lock: null,
    conditions: {},
    actor: 'tester',
    signal: AbortSignal.timeout(30_000),
    ...more,
  };
}

async function readAll(gateway: RunningGateway, bucket: string, key: string, versionId?: string): Promise<Buffer> {
  const signal = AbortSignal.timeout(30_000);
  const open = await gateway.objects.open({ bucket, key, versionId, range: () => null, signal });
  const chunks: Buffer[] = [];
  for await (const chunk of chunksOf(open.content)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** A registry whose backends are let through unless a test says otherwise. */
function fixedRegistry(backends: readonly TestBackend[]): ObjectBackendRegistry {
  const all = backends.map(({ name, backend, quotaBytes = null, labels = {}, objectBytesMax = null }, position) =>
    knownBackend(name, backend, { position, quotaBytes, labels, objectBytesMax }),
  );
  return {
    all,
    get: (name) => all.find((one) => one.name === name) ?? null,
    refresh: async () => {},
    close: async () => {},
  };
}

/** Whether a thrown value is a fault of a backend; for assertions. */
export const isFault = isBackendFault;

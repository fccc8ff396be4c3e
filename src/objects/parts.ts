import type { Values } from '../kernel/config/settings.ts';
import type { HealthCheck } from '../kernel/http/health.ts';
import type { Route } from '../kernel/http/server.ts';
import type { Clock, IdSource } from '../kernel/ids.ts';
import type { Keeper } from '../kernel/keepers/keeper.ts';
import type { Sealer } from '../kernel/secrets/sealer.ts';
import type { Store } from '../kernel/store/store.ts';
import type { Log } from '../kernel/telemetry/log.ts';
import type { Metrics } from '../kernel/telemetry/metrics.ts';
import { accessRoutes } from './access/routes.ts';
import { AccessService } from './access/service.ts';
import { StoreAccess } from './access/store-access.ts';
import { bucketRoutes } from './api/bucket-routes.ts';
import { encryptionRoutes } from './api/encryption-routes.ts';
import { objectRoutes } from './api/object-routes.ts';
import { createPresigner } from './api/presigner.ts';
import type { ObjectBackend } from './backends/backend.ts';
import { objectBackendKinds } from './backends/kinds.ts';
import { BackendService } from './backends/management/service.ts';
import { backendDetails, objectBackendRoutes } from './backends/routes.ts';
import { type ManagedRegistry, openObjectBackendRegistry } from './backends/store-registry.ts';
import { UsageBook } from './backends/usage.ts';
import { type RunningGateway, createObjectGateway } from './create-gateway.ts';
import type { Kek } from './encryption/data-key.ts';
import { ObjectEncryption } from './encryption/encryption.ts';
import { keepKeyBlobs } from './encryption/key-blobs.ts';
import { Keyring, refuseLostKeys } from './encryption/keyring.ts';
import { loadRootKeys } from './encryption/load-root-keys.ts';
import { cleanupKeeper } from './keepers/cleanup.ts';
import { drainsKeeper } from './keepers/drains.ts';
import { encryptionKeyKeeper } from './keepers/encryption-keys.ts';
import { intentKeeper } from './keepers/intents.ts';
import { lifecycleKeeper } from './keepers/lifecycle.ts';
import { overReplicationKeeper } from './keepers/over-replication.ts';
import { readBackRule } from './keepers/read-back.ts';
import { rebalancerKeeper } from './keepers/rebalancer.ts';
import { reconcileKeeper } from './keepers/reconcile.ts';
import { replicatorKeeper } from './keepers/replicator.ts';
import { rewriteKeeper } from './keepers/rewriter.ts';
import { scrubKeeper } from './keepers/scrub.ts';
import { uploadKeeper } from './keepers/uploads.ts';
import type { Copy } from './object.ts';
import { type StorageClass, parseStorageClasses } from './storage-class.ts';
import { enterStorageClasses } from './ledger/storage-classes.ts';
import { createS3Server } from './s3/server.ts';
import { migratorName, storageMigrator } from './storage-migration/migrator.ts';
import { storageMigrationRoutes } from './storage-migration/routes.ts';
import { MigrationService } from './storage-migration/service.ts';

/** What the server gives to this feature. */
export interface ObjectPartsOptions {
  readonly values: Values;
  readonly store: Store;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly newId: IdSource;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Asks a keeper to run now, on whichever replica. */
  wake(keeper: string): void;
  /** The replica that this process is. */
  owner(): string;
  /** Whether there is somebody of this name who can be told of what happens in buckets. */
  hasNotificationTarget(name: string): Promise<boolean>;
  readonly wrapBackend?: (name: string, backend: ObjectBackend) => ObjectBackend;
}

/** This feature as the server takes it in. */
export interface ObjectParts {
  readonly keepers: readonly Keeper[];
  readonly routes: readonly Route[];
  readonly checks: readonly HealthCheck[];
  /** Begins to serve S3; gives its address. */
  listen(host: string, port: number): Promise<string>;
  /** Stops serving S3, lets what is under way end, and closes the backends. */
  stop(): Promise<void>;
}

/** How long a slow backend holds up a write that enough others have taken. */
const stallMs = 10_000;
const keeperPeriodMs = 15_000;
const cleanupPeriodMs = 5_000;
const uploadPeriodMs = 3_600_000;
const lifecyclePeriodMs = 3_600_000;
const scrubPeriodMs = 900_000;
const leftoverPeriodMs = 5_000;
const keyPeriodMs = 600_000;
const keyBlobTimeoutMs = 10_000;

/** Puts the object gateway together; nothing listens yet. */
export async function createObjectParts(options: ObjectPartsOptions): Promise<ObjectParts> {
  const { values, store, sealer, clock, newId, log, metrics, wrapBackend } = options;
  const warn = (error: unknown, about: string) => log.warn({ err: error }, about);
  const access = new StoreAccess({ store, sealer, clock, onError: (error) => warn(error, 'a key use was not noted') });
  const usage = new UsageBook({ store, clock, newId, onError: (error) => warn(error, 'usage was not written') });
  await usage.start();
  const kinds = objectBackendKinds();
  const wrap = wrapBackend === undefined ? {} : { wrapBackend };
  const observe = metrics.onBackendCall;
  const registry = await openObjectBackendRegistry({ store, sealer, kinds, usage, onError: warn, observe, ...wrap });
  const keyring = await openKeyring(options, registry);
  const encryption = new ObjectEncryption(keyring);
  const storageClasses = parseStorageClasses(values.objectStorageClasses);
  await store.write(enterStorageClasses, { classes: storageClasses });
  const gateway = createGateway(options, registry, encryption, storageClasses);
  const { writer } = gateway;
  const leftovers = setInterval(() => {
    writer.leftovers.giveUp().catch((error: unknown) => warn(error, 'left-over writes were not given up'));
  }, leftoverPeriodMs).unref();
  const s3 = createS3Server({
    gateway,
    access,
    clock,
    log,
    region: values.s3Region,
    baseDomains: values.s3Domains,
    hasNotificationTarget: options.hasNotificationTarget,
    onKeyUse: (accessKey) => access.noteUse(accessKey),
    metrics: { onRequest: (command, status, seconds) => metrics.onRequest(`s3:${command}`, status, seconds) },
  });
  let s3Port = values.s3Port;
  const service = new AccessService({ store, sealer, newId, clock });
  const s3Url = (host: string) => `http://${host.replace(/:\d+$/, '')}:${s3Port}`;
  const presign = createPresigner({ store, access, service, clock, region: values.s3Region, s3Url });
  const backendService = new BackendService({ store, sealer, kinds, registry, usage, clock, ...wrap });
  const { healthTimeoutMs } = values;
  const wake = () => options.wake(migratorName);
  const migration = new MigrationService({ store, registry, backends: backendService, clock, newId, wake });
  const details = { store, sealer, registry, usage, healthTimeoutMs };
  const shown = backendDetails(details);
  return {
    keepers: createKeepers(options, registry, gateway, { keyring, encryption }),
    routes: [
      ...accessRoutes({ store, sealer, newId, clock }),
      ...objectBackendRoutes({ service: backendService, store, shown }),
      ...storageMigrationRoutes({ service: migration, backends: backendService, registry, store, clock, shown }),
      ...bucketRoutes({ gateway, store, registry, clock }),
      ...objectRoutes(gateway, presign),
      ...encryptionRoutes({ store, buckets: gateway.buckets, encryption, newId, clock, keyring }),
    ],
    checks: [],
    listen: async (host, port) => {
      const { url } = await s3.listen(host, port);
      s3Port = Number(new URL(url).port);
      return url;
    },
    stop: async () => {
      clearInterval(leftovers);
      await s3.close();
      await writer.settle();
      await access.close();
      keyring?.close();
      await registry.close();
      await usage.close();
    },
  };
}

/** The keys of this installation; `null` without root keys. What cannot be used stops the start. */
async function openKeyring(options: ObjectPartsOptions, registry: ManagedRegistry): Promise<Keyring | null> {
  const { values, store, newId, clock, log } = options;
  const rootKeys = loadRootKeys(values);
  if (rootKeys === null) {
    await refuseLostKeys(store);
    return null;
  }
  const onError = (error: unknown, about: string) => log.warn({ err: error }, about);
  const save = async (keks: readonly Kek[]) => {
    await keepKeyBlobs(registry, keks, AbortSignal.timeout(keyBlobTimeoutMs), onError);
  };
  return Keyring.open({ store, rootKeys, newId, clock, save, onError });
}

function createGateway(
  options: ObjectPartsOptions,
  registry: ManagedRegistry,
  encryption: ObjectEncryption,
  storageClasses: readonly StorageClass[],
): RunningGateway {
  const { store, clock, newId, log, owner } = options;
  return createObjectGateway({
    store,
    registry,
    encryption,
    storageClasses,
    newId,
    clock,
    owner,
    stallMs,
    retryWaitMs: options.values.objectRetryWaitMs,
    onBadCopy: (copy, reason) => log.warn({ copy, reason }, 'a copy is not what was written'),
    onError: (error, about) => log.warn({ err: error }, about),
  });
}

function createKeepers(
  options: ObjectPartsOptions,
  registry: ManagedRegistry,
  gateway: RunningGateway,
  { keyring, encryption }: { readonly keyring: Keyring | null; readonly encryption: ObjectEncryption },
): Keeper[] {
  const { store, clock, newId, owner, log } = options;
  const onError = (error: unknown, about: string) => log.warn({ err: error }, about);
  const { objectSecondLookMs: secondLookMs, objectRetryWaitMs: retryWaitMs } = options.values;
  const { objectUnhealthyAfterMs: unhealthyAfterMs, objectReadBack } = options.values;
  const { objectRebalancePercent, objectRebalancePeriodMs } = options.values;
  const { writer, buckets, badCopies } = gateway;
  const { capacity, leftovers } = writer;
  const onBadCopy = (copy: Copy) => badCopies.report(copy);
  const isReadBack = readBackRule(objectReadBack);
  const moving = { store, registry, capacity, leftovers, newId, clock, owner, isReadBack };
  return [
    rewriteKeeper({ store, registry, buckets, encryption, writer, newId, clock, onBadCopy }, keeperPeriodMs),
    cleanupKeeper({ store, registry, clock, owner, periodMs: cleanupPeriodMs, secondLookMs, retryWaitMs }),
    intentKeeper(store, clock, keeperPeriodMs),
    replicatorKeeper({ ...moving, retryWaitMs, unhealthyAfterMs }, keeperPeriodMs),
    overReplicationKeeper({ store, registry, clock }, keeperPeriodMs),
    rebalancerKeeper({ ...moving, threshold: objectRebalancePercent / 100 }, objectRebalancePeriodMs),
    drainsKeeper({ store, registry, clock }, keeperPeriodMs),
    storageMigrator({ store, registry, leftovers, clock, newId, owner, retryWaitMs }, keeperPeriodMs),
    ...(keyring === null ? [] : [encryptionKeyKeeper({ keyring, registry, periodMs: keyPeriodMs, onError })]),
    ...upkeepKeepers(options, registry, gateway),
  ];
}

/** Keepers that go through what there is: by the rules of buckets, by the age of uploads, and byte by byte. */
function upkeepKeepers(options: ObjectPartsOptions, registry: ManagedRegistry, { locator }: RunningGateway): Keeper[] {
  const { store, clock, newId, log, values } = options;
  const onError = (error: unknown, about: string) => log.warn({ err: error }, about);
  const forget = locator.forget.bind(locator);
  const idleMsMax = values.objectUploadRetentionMs === 0 ? null : values.objectUploadRetentionMs;
  const rate = {
    bytesPerSecond: values.objectScrubBytesPerSecond,
    requestsPerSecond: values.objectScrubRequestsPerSecond,
  };
  const intervalMs = values.objectScrubIntervalMs;
  const reconciling = {
    periodMs: values.objectReconcileIntervalMs,
    unknown: values.objectReconcileUnknown,
    graceMs: values.objectReconcileGraceMs,
  };
  return [
    uploadKeeper({ store, clock, periodMs: uploadPeriodMs, idleMsMax, onError }),
    lifecycleKeeper({ store, newId, clock, forget, onError }, lifecyclePeriodMs),
    scrubKeeper({ store, registry, clock, periodMs: scrubPeriodMs, intervalMs, rate, onError }),
    reconcileKeeper({ store, registry, newId, clock, ...reconciling, onError }),
  ];
}

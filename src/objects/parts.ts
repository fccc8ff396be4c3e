import type { HealthCheck } from '../kernel/http/health.ts';
import type { Route } from '../kernel/http/server.ts';
import type { Keeper } from '../kernel/keepers/keeper.ts';
import { accessRoutes } from './access/routes.ts';
import { AccessService } from './access/service.ts';
import { StoreAccess } from './access/store-access.ts';
import type { Admission } from './admission/admission.ts';
import { admittedRoute } from './admission/admitted-route.ts';
import { backgroundRegistry } from './admission/background-registry.ts';
import { bucketRoutes } from './api/bucket-routes.ts';
import { encryptionRoutes } from './api/encryption-routes.ts';
import { objectRoutes } from './api/object-routes.ts';
import { createPresigner } from './api/presigner.ts';
import type { OnCircuit } from './backends/guarded.ts';
import { backendsCheck } from './backends/health-check.ts';
import { noteCircuit } from './backends/management/note-circuit.ts';
import { objectBackendKinds } from './backends/kinds.ts';
import { BackendService } from './backends/management/service.ts';
import { backendDetails, objectBackendRoutes } from './backends/routes.ts';
import { measureBackends } from './backends/standing.ts';
import { type ManagedRegistry, openObjectBackendRegistry } from './backends/store-registry.ts';
import { UsageBook } from './backends/usage.ts';
import { type RunningGateway, createObjectGateway } from './create-gateway.ts';
import type { Kek } from './encryption/data-key.ts';
import { ObjectEncryption } from './encryption/encryption.ts';
import { keepKeyBlobs } from './encryption/key-blobs.ts';
import { Keyring, refuseLostKeys } from './encryption/keyring.ts';
import { loadRootKeys } from './encryption/load-root-keys.ts';
import { type LoadParts, createLoadParts } from './load-parts.ts';
import { forecasting } from './quotas/forecast.ts';
import { usageKeeperName } from './quotas/keeper.ts';
import { quotaRoutes } from './quotas/routes.ts';
import { QuotaService } from './quotas/service.ts';
import { subjectLedger } from './quotas/subject-usage.ts';
import { Traffic } from './quotas/traffic.ts';
import { rebuildKeeperName } from './rebuilding/rebuild-keeper.ts';
import { rebuildRoutes } from './rebuilding/routes.ts';
import { type StorageClass, parseStorageClasses } from './storage-class.ts';
import { enterStorageClasses } from './ledger/storage-classes.ts';
import { createS3Server } from './s3/server.ts';
import { migratorName } from './storage-migration/migrator.ts';
import { storageMigrationRoutes } from './storage-migration/routes.ts';
import { MigrationService } from './storage-migration/service.ts';
import { createKeepers } from './create-keepers.ts';
import type { ObjectPartsOptions } from './parts-options.ts';

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
const leftoverPeriodMs = 5_000;
const keyBlobTimeoutMs = 10_000;

/** Puts the object gateway together; nothing listens yet. */
export async function createObjectParts(options: ObjectPartsOptions): Promise<ObjectParts> {
  const { values, store, sealer, clock, newId, log, metrics, wrapBackend } = options;
  const warn = (error: unknown, about: string) => log.warn({ err: error }, about);
  const access = new StoreAccess({ store, sealer, clock, onError: (error) => warn(error, 'a key use was not noted') });
  const onUsageError = (error: unknown) => warn(error, 'usage was not written');
  const usage = new UsageBook({ store, clock, newId, onError: onUsageError });
  const clientUsage = new UsageBook({ store, clock, newId, onError: onUsageError, ledger: subjectLedger });
  await Promise.all([usage.start(), clientUsage.start()]);
  const kinds = objectBackendKinds();
  const wrap = wrapBackend === undefined ? {} : { wrapBackend };
  const watch = { observe: metrics.onBackendCall, onCircuit: circuitNotes(options), onError: warn };
  const registry = await openObjectBackendRegistry({ store, sealer, kinds, usage, ...watch, ...wrap });
  measureBackends(metrics, { store, registry, onError: warn });
  const keyring = await openKeyring(options, registry);
  const encryption = new ObjectEncryption(keyring);
  const storageClasses = parseStorageClasses(values.objectStorageClasses);
  await store.write(enterStorageClasses, { classes: storageClasses });
  const load = createLoadParts(values, metrics, (bucket) => gateway.buckets.get(bucket));
  const { admission } = load;
  const gateway: RunningGateway = createGateway(options, registry, encryption, { ...load, storageClasses });
  const { writer } = gateway;
  // Before anybody is served, so that no limit is passed by who comes first.
  await gateway.quotas.refresh();
  const traffic = new Traffic(clientUsage, gateway.quotas, clock, (bucket, bytes) => admission.moved(bucket, bytes));
  const leftovers = setInterval(() => {
    writer.leftovers.giveUp().catch((error: unknown) => warn(error, 'left-over writes were not given up'));
  }, leftoverPeriodMs).unref();
  const s3 = createFace(options, { gateway, access, traffic, admission });
  let s3Port = values.s3Port;
  const service = new AccessService({ store, sealer, newId, clock });
  const s3Url = (host: string) => `http://${host.replace(/:\d+$/, '')}:${s3Port}`;
  const presign = createPresigner({ store, access, service, clock, region: values.s3Region, s3Url });
  const backendService = new BackendService({ store, sealer, kinds, registry, usage, clock, ...wrap });
  const wake = () => options.wake(migratorName);
  const migration = new MigrationService({ store, registry, backends: backendService, clock, newId, wake });
  const quotas = new QuotaService({ store, clock, newId, wake: () => options.wake(usageKeeperName) });
  const shown = backendDetails({ store, sealer, registry, usage, healthTimeoutMs: values.healthTimeoutMs });
  return {
    keepers: createKeepers(options, backgroundRegistry(registry, load.gate), gateway, { keyring, encryption }).map(
      (keeper) => forecasting(keeper, store, clock),
    ),
    routes: [
      ...accessRoutes({ store, sealer, newId, clock }),
      ...objectBackendRoutes({ service: backendService, store, shown }),
      ...storageMigrationRoutes({ service: migration, backends: backendService, registry, store, clock, shown }),
      ...bucketRoutes({ gateway, store, registry, clock }),
      ...quotaRoutes({ service: quotas, store, clock }),
      ...objectRoutes(gateway, presign, traffic).map((one) => admittedRoute(one, admission)),
      ...rebuildRoutes({ store, newId, clock, wake: () => options.wake(rebuildKeeperName) }),
      ...encryptionRoutes({ store, buckets: gateway.buckets, encryption, newId, clock, keyring }),
    ],
    checks: [backendsCheck(registry)],
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
      await clientUsage.close();
    },
  };
}

/** Tells of breakers in the events; while the store is away nobody hears of them there. */
function circuitNotes({ store, clock, owner, log }: ObjectPartsOptions): OnCircuit {
  return (change) => {
    const note = { ...change, gateway: owner(), nowMs: clock.nowMs() };
    store.write(noteCircuit, note).catch((error: unknown) => log.warn({ err: error, ...change }, 'a breaker changed'));
  };
}

/** The S3 server; it does not listen yet. */
function createFace(
  { values, clock, log, metrics, hasNotificationTarget }: ObjectPartsOptions,
  parts: {
    readonly gateway: RunningGateway;
    readonly access: StoreAccess;
    readonly traffic: Traffic;
    readonly admission: Admission;
  },
) {
  return createS3Server({
    ...parts,
    clock,
    log,
    region: values.s3Region,
    baseDomains: values.s3Domains,
    hasNotificationTarget,
    onKeyUse: (accessKey) => parts.access.noteUse(accessKey),
    // Those at work and those that wait; beyond them nobody is looked at.
    limits: { requestsMax: 2 * values.objectRequestsMax },
    metrics: { onRequest: (command, status, seconds) => metrics.onRequest(`s3:${command}`, status, seconds) },
  });
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
  { gate, hedging, cache, storageClasses }: LoadParts & { readonly storageClasses: readonly StorageClass[] },
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
    hedging,
    cache,
    onWrote: (tookMs) => gate.foregroundTook(tookMs, 'write'),
    onBadCopy: (copy, reason) => log.warn({ copy, reason }, 'a copy is not what was written'),
    onError: (error, about) => log.warn({ err: error }, about),
  });
}

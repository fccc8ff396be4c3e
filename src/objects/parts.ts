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
import { objectRoutes } from './api/object-routes.ts';
import { createPresigner } from './api/presigner.ts';
import type { ObjectBackend } from './backends/backend.ts';
import { objectBackendKinds } from './backends/kinds.ts';
import { BackendService } from './backends/management/service.ts';
import { backendDetails, objectBackendRoutes } from './backends/routes.ts';
import { type ManagedRegistry, openObjectBackendRegistry } from './backends/store-registry.ts';
import { UsageBook } from './backends/usage.ts';
import { type RunningGateway, createObjectGateway } from './create-gateway.ts';
import { cleanupKeeper } from './keepers/cleanup.ts';
import { intentKeeper } from './keepers/intents.ts';
import { replicatorKeeper } from './keepers/replicator.ts';
import { uploadKeeper } from './keepers/uploads.ts';
import { forecasting } from './quotas/forecast.ts';
import { usageKeeper, usageKeeperName } from './quotas/keeper.ts';
import { quotaRoutes } from './quotas/routes.ts';
import { QuotaService } from './quotas/service.ts';
import { subjectLedger } from './quotas/subject-usage.ts';
import { Traffic } from './quotas/traffic.ts';
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
const leftoverPeriodMs = 5_000;
const usagePeriodMs = 60_000;

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
  const observe = metrics.onBackendCall;
  const registry = await openObjectBackendRegistry({ store, sealer, kinds, usage, onError: warn, observe, ...wrap });
  const gateway = createGateway(options, registry);
  const { writer } = gateway;
  // Before anybody is served, so that no limit is passed by who comes first.
  await gateway.quotas.refresh();
  const traffic = new Traffic(clientUsage, gateway.quotas, clock);
  const leftovers = setInterval(() => {
    writer.leftovers.giveUp().catch((error: unknown) => warn(error, 'left-over writes were not given up'));
  }, leftoverPeriodMs).unref();
  const s3 = createS3Server({
    gateway,
    access,
    clock,
    log,
    traffic,
    region: values.s3Region,
    baseDomains: values.s3Domains,
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
  const quotas = new QuotaService({ store, clock, newId, wake: () => options.wake(usageKeeperName) });
  const details = { store, sealer, registry, usage, healthTimeoutMs };
  const shown = backendDetails(details);
  return {
    keepers: createKeepers(options, registry, gateway).map((keeper) => forecasting(keeper, store, clock)),
    routes: [
      ...accessRoutes({ store, sealer, newId, clock }),
      ...objectBackendRoutes({ service: backendService, store, shown }),
      ...storageMigrationRoutes({ service: migration, backends: backendService, registry, store, clock, shown }),
      ...bucketRoutes({ gateway, store, registry, clock }),
      ...quotaRoutes({ service: quotas, store, clock }),
      ...objectRoutes(gateway, presign, traffic),
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
      await registry.close();
      await usage.close();
      await clientUsage.close();
    },
  };
}

function createGateway(options: ObjectPartsOptions, registry: ManagedRegistry): RunningGateway {
  const { store, clock, newId, log, owner } = options;
  return createObjectGateway({
    store,
    registry,
    newId,
    clock,
    owner,
    stallMs,
    retryWaitMs: options.values.objectRetryWaitMs,
    onBadCopy: (copy, reason) => log.warn({ copy, reason }, 'a copy is not what was written'),
    onError: (error, about) => log.warn({ err: error }, about),
  });
}

function createKeepers(options: ObjectPartsOptions, registry: ManagedRegistry, { writer }: RunningGateway): Keeper[] {
  const { store, clock, newId, owner } = options;
  const { objectSecondLookMs: secondLookMs, objectRetryWaitMs: retryWaitMs } = options.values;
  const { capacity, leftovers } = writer;
  return [
    cleanupKeeper({ store, registry, clock, owner, periodMs: cleanupPeriodMs, secondLookMs, retryWaitMs }),
    intentKeeper(store, clock, keeperPeriodMs),
    replicatorKeeper({ store, registry, capacity, leftovers, newId, clock, owner, retryWaitMs }, keeperPeriodMs),
    uploadKeeper(store, clock, uploadPeriodMs),
    storageMigrator({ store, registry, leftovers, clock, newId, owner, retryWaitMs }, keeperPeriodMs),
    usageKeeper(store, clock, usagePeriodMs),
  ];
}

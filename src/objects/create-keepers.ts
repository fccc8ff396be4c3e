import type { Keeper } from '../kernel/keepers/keeper.ts';
import type { SettingsKind } from '../kernel/backups/settings.ts';
import { userSettings } from './access/user-settings.ts';
import { backendNotes } from './backends/management/backend-notes.ts';
import type { ManagedRegistry } from './backends/store-registry.ts';
import type { RunningGateway } from './create-gateway.ts';
import { LentBuffers } from './content/lent-buffers.ts';
import type { ObjectEncryption } from './encryption/encryption.ts';
import type { Keyring } from './encryption/keyring.ts';
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
import { quotaSettings } from './quotas/quota-settings.ts';
import { usageKeeper } from './quotas/keeper.ts';
import { backupKeeper } from './rebuilding/backup-keeper.ts';
import { rebuildKeeper } from './rebuilding/rebuild-keeper.ts';
import { storageMigrator } from './storage-migration/migrator.ts';
import type { ObjectPartsOptions } from './parts-options.ts';

const keeperPeriodMs = 15_000;
const cleanupPeriodMs = 5_000;
const uploadPeriodMs = 3_600_000;
const lifecyclePeriodMs = 3_600_000;
const scrubPeriodMs = 900_000;
const keyPeriodMs = 600_000;
const usagePeriodMs = 60_000;

/** Every keeper of objects. */
export function createKeepers(
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
  const memory = new LentBuffers();
  const moving = { store, registry, capacity, leftovers, newId, clock, memory, owner, isReadBack };
  return [
    rewriteKeeper({ store, registry, buckets, encryption, writer, newId, clock, onBadCopy }, keeperPeriodMs),
    cleanupKeeper({ store, registry, clock, owner, periodMs: cleanupPeriodMs, secondLookMs, retryWaitMs }),
    intentKeeper(store, clock, keeperPeriodMs),
    replicatorKeeper({ ...moving, retryWaitMs, unhealthyAfterMs }, keeperPeriodMs),
    overReplicationKeeper({ store, registry, clock }, keeperPeriodMs),
    rebalancerKeeper({ ...moving, threshold: objectRebalancePercent / 100 }, objectRebalancePeriodMs),
    drainsKeeper({ store, registry, clock }, keeperPeriodMs),
    storageMigrator({ ...moving, retryWaitMs }, keeperPeriodMs),
    ...(keyring === null ? [] : [encryptionKeyKeeper({ keyring, registry, periodMs: keyPeriodMs, onError })]),
    usageKeeper(store, clock, usagePeriodMs),
    ...upkeepKeepers(options, registry, gateway),
    rebuildKeeper({ store, registry, encryption, keyring, clock, settings: settingsKinds(options) }, keeperPeriodMs),
    ...ledgerBackup(options, registry, { keyring, encryption }),
  ];
}

/** What is backed up beside objects: ours, and what other features give. */
function settingsKinds({ sealer, settings }: ObjectPartsOptions): readonly SettingsKind[] {
  return [backendNotes, userSettings(sealer), quotaSettings, ...settings];
}

/** The backup of the ledger on the backends, unless it is not wanted. */
function ledgerBackup(
  options: ObjectPartsOptions,
  registry: ManagedRegistry,
  { keyring, encryption }: { readonly keyring: Keyring | null; readonly encryption: ObjectEncryption },
): Keeper[] {
  const { store, newId, clock, log, values } = options;
  const { objectLedgerBackupIntervalMs: periodMs } = values;
  if (periodMs === 0) return [];
  const coding = { encryption, isEncrypted: keyring !== null };
  const onError = (error: unknown, about: string) => log.warn({ err: error }, about);
  const settings = settingsKinds(options);
  return [backupKeeper({ store, registry, coding, settings, newId, clock, periodMs, onError })];
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
    scrubKeeper({
      store,
      registry,
      clock,
      memory: new LentBuffers(),
      periodMs: scrubPeriodMs,
      intervalMs,
      rate,
      onError,
    }),
    reconcileKeeper({ store, registry, newId, clock, ...reconciling, onError }),
  ];
}

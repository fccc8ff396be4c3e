import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { SettingsKind } from '../../kernel/backups/settings.ts';
import type { Clock } from '../../kernel/ids.ts';
import type { ReportProgress } from '../../kernel/keepers/keeper.ts';
import type { Store } from '../../kernel/store/store.ts';
import type { KnownBackend, ObjectBackendRegistry } from '../backends/registry.ts';
import type { WrappedKek } from '../encryption/data-key.ts';
import type { ObjectEncryption } from '../encryption/encryption.ts';
import { readKeyBlobs } from '../encryption/key-blobs.ts';
import type { Keyring } from '../encryption/keyring.ts';
import { listBackups } from './backup-place.ts';
import { enterBuckets } from './enter-buckets.ts';
import { enterKey } from './enter-key.ts';
import { enterSettings } from './enter-settings.ts';
import { loadBackupMemory, saveBackupMemory } from './backup-memory.ts';
import { settleLeftovers } from './leftovers.ts';
import { type RebuildReport, newReport, tell } from './report.ts';
import { clearStage, stagedKeys } from './stage.ts';
import { stageBackup } from './stage-backup.ts';
import { surveyBackend } from './survey.ts';
import type { RebuildWish } from './wish.ts';

export interface RebuildOptions {
  readonly store: Store;
  readonly registry: ObjectBackendRegistry;
  readonly encryption: ObjectEncryption;
  /** `null` without root keys. */
  readonly keyring: Keyring | null;
  readonly clock: Clock;
  /** What is taken over of a backup beside objects, in this order. */
  readonly settings: readonly SettingsKind[];
}

const keysPage = 200;

/**
 * Rebuilds the ledger from what stands on backends: the newest backup of it, and what blobs newer than that say of themselves.
 * Everything is gathered in the store first, so that a key enters the ledger whole or not at all; one that was interrupted is
 * run again. Throws `invalid` when a root key is not configured or is another one, and what backends throw when they are looked
 * at: nothing was entered then.
 */
export async function rebuildLedger(
  options: RebuildOptions,
  wish: RebuildWish,
  signal: AbortSignal,
  progress: ReportProgress = () => {},
): Promise<RebuildReport> {
  const { store, registry, encryption, keyring, clock, settings } = options;
  const places = placesOf(registry, wish);
  const report = newReport();
  const adopt = (keks: readonly WrappedKek[]) => adoptKeys(keyring, keks);
  await adopt(await keysOn(places, signal));
  await store.write(clearStage, {});
  await stageBackup({ store, encryption, report, places, hasRootKeys: keyring !== null, signal });
  const asOfMs = report.backup?.asOfMs ?? null;
  const onBlobs = (done: number) => progress({ done, total: null, detail: 'blobs looked at' });
  const describing = { encryption, adopt: (kek: WrappedKek) => adopt([kek]), signal };
  for (const place of places) await surveyBackend(place, { ...describing, store, report, onBlobs });
  const { isDryRun } = wish;
  await enterSettings({ store, encryption, settings, clock, report, isDryRun, signal });
  const buckets = await enterBuckets({ store, clock, report, isDryRun });
  let after = { bucket: '', object_key: '' };
  for (;;) {
    const keys = await store.read((reader) => stagedKeys(reader, after, keysPage));
    for (const key of keys) {
      signal.throwIfAborted();
      const bucket = await buckets(key.bucket);
      await enterKey({ store, clock, report, asOfMs, isDryRun }, key, bucket);
    }
    progress({ done: report.keys, total: null, detail: 'keys entered' });
    if (keys.length < keysPage) break;
    after = keys.at(-1)!;
  }
  await settleLeftovers({ store, clock, report, asOfMs, isDryRun, isKept: wish.isMissingOnly, signal });
  await store.write(clearStage, {});
  if (isDryRun) return report;
  // What is lost may stand on a backend that is not here yet, and only the backup tells what it was.
  if (report.lost === 0 || wish.isLossAccepted) await takeOverBackups(store, places, signal);
  else
    tell(report, 'backup', 'The backup is kept for what is lost; this ledger is not backed up until that is given up.');
  return report;
}

function placesOf(registry: ObjectBackendRegistry, { backends }: RebuildWish): readonly KnownBackend[] {
  const named = backends.map((name) => required(name, registry.get(name)));
  const places = backends.length === 0 ? registry.all : named;
  if (places.length > 0) return places;
  throw new HoldfastError('conflict', 'There is no backend to rebuild from; add those that hold the objects first.');
}

function required(name: string, known: KnownBackend | null): KnownBackend {
  if (known !== null) return known;
  throw new HoldfastError('not_found', `There is no backend ${name}.`, { backend: name });
}

async function keysOn(places: readonly KnownBackend[], signal: AbortSignal): Promise<WrappedKek[]> {
  const found: WrappedKek[] = [];
  for (const place of places) for await (const kek of readKeyBlobs(place, signal)) found.push(kek);
  return found;
}

async function adoptKeys(keyring: Keyring | null, keks: readonly WrappedKek[]): Promise<void> {
  const [first] = keks;
  if (first === undefined) return;
  if (keyring !== null) return void (await keyring.adopt(keks));
  const message = `Objects on the backends are encrypted under the root key ${first.rootKeyId}, and no root keys are configured.`;
  throw new HoldfastError('invalid', message, { field: 'ENCRYPTION_KEY_FILES', root_key_id: first.rootKeyId });
}

/** What the former ledger has backed up is in this one now, so that this one's backups may take its place. */
async function takeOverBackups(store: Store, places: readonly KnownBackend[], signal: AbortSignal): Promise<void> {
  const before = await loadBackupMemory(store);
  const own = new Set(before.own);
  for (const { backend } of places)
    for await (const { generation } of listBackups(backend, signal)) own.add(generation);
  await saveBackupMemory(store, { ...before, own: [...own], reached: null, isWriting: false });
}

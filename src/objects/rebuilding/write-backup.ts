import { lastEventId } from '../../kernel/events/queries.ts';
import { OutboxReader } from '../../kernel/events/outbox.ts';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { SettingsKind } from '../../kernel/backups/settings.ts';
import type { IdSource } from '../../kernel/ids.ts';
import type { GapWatch, Store } from '../../kernel/store/store.ts';
import type { BackupCoding } from './backup-blob.ts';
import { lineOfBucket, linesOfAll, linesOfKey } from './backup-lines.ts';
import { backupPrefix } from './backup-place.ts';
import { linesOfResource, linesOfSettings } from './setting-lines.ts';
import { BackupWriter, type BackupWriterOptions } from './backup-writer.ts';
import type { BackupMemory, BackupReach } from './backup-memory.ts';
import { foreignBackup } from './foreign-backup.ts';

export interface BackupKeeperOptions extends BackupWriterOptions {
  readonly store: Store;
  readonly newId: IdSource;
  /** What is backed up beside objects. */
  readonly settings: readonly SettingsKind[];
  readonly periodMs: number;
}

const eventsPage = 1_000;
const pagesMax = 1_000;
/** Fewer changes than so many lines are no reason to tell everything again. */
const changeLinesMin = 10_000;
const wholeAgeMsMax = 7 * 86_400_000;
const settleWaitMs = 50;
const settleTriesMax = 200;

/** The backup of another ledger is what that one can be rebuilt from: it is never written over. */
export async function requireOwn(
  { store, registry, onError }: BackupKeeperOptions,
  signal: AbortSignal,
): Promise<void> {
  for (const { name, backend } of registry.all) {
    // One that cannot be looked at does not keep the others from being written to.
    const generation = await foreignBackup(store, backend, signal).catch((error: unknown) => {
      onError(error, `backups of the ledger were not looked for on the backend ${name}`);
      return null;
    });
    if (generation === null) continue;
    const message =
      `The backend ${name} holds the backup of another ledger, or of a later state of this one. Take over what it tells with ` +
      `"holdfast gateway rebuild" (with --missing, where there are objects; with --accept-loss, where some are lost for good), ` +
      `or remove what stands under ${backupPrefix}${generation}/; until then this ledger is not backed up.`;
    throw new HoldfastError('conflict', message, { backend: name, generation });
  }
}

/**
 * Whether a backup can be added to. After a process that ended while it wrote nobody knows what stands: all is told anew.
 */
export function canGoOn(
  memory: BackupMemory,
  { coding, clock }: Pick<BackupKeeperOptions, 'coding' | 'clock'>,
): memory is BackupMemory & { readonly reached: BackupReach } {
  const { reached, isWriting } = memory;
  return reached !== null && !isWriting && reached.form === formOf(coding) && !isWorn(reached, clock.nowMs());
}

/** What another release told, or this one without root keys or with them, is not gone on with: it may lack what is told now. */
function formOf({ isEncrypted }: BackupCoding): string {
  return isEncrypted ? 'settings-1 sealed' : 'settings-1';
}

/** Where copies were moved to since then is told by no event, so that all is told anew now and then. */
function isWorn({ wholeLines, changeLines, wholeAtMs }: BackupReach, nowMs: number): boolean {
  return changeLines > Math.max(changeLinesMin, wholeLines) || nowMs - wholeAtMs > wholeAgeMsMax;
}

/** Writes all there is, as a new backup. */
export async function writeWhole(
  options: BackupKeeperOptions,
  generation: string,
  signal: AbortSignal,
): Promise<BackupReach> {
  const { store, clock } = options;
  const eventId = await settledEventId(store, signal);
  const atMs = clock.nowMs();
  const writer = new BackupWriter(options, generation, 1, signal);
  for await (const line of linesOfSettings(options)) await writer.add(line);
  for await (const line of linesOfAll(store)) await writer.add(line);
  await writer.add({ t: 'as-of', atMs });
  await writer.flush(true);
  const lines = { wholeLines: writer.count, changeLines: 0 };
  return { generation, next: writer.next, eventId, ...lines, wholeAtMs: atMs, form: formOf(options.coding) };
}

/** The last event's id, once nobody is in flight any more who could still commit one before it. */
async function settledEventId(store: Store, signal: AbortSignal): Promise<number> {
  const eventId = await store.read(lastEventId);
  let seen: GapWatch | null = null;
  for (let tries = 0; tries < settleTriesMax; tries++) {
    const { final, watch } = await store.gapsAreFinal(seen);
    if (final) return eventId;
    seen = watch;
    signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, settleWaitMs));
  }
  throw new HoldfastError('unavailable', 'A transaction on the store does not end, so that nothing can be backed up.');
}

/** Writes what has changed since, as the events tell. */
export async function writeChanges(
  options: BackupKeeperOptions,
  from: BackupReach,
  signal: AbortSignal,
): Promise<{ readonly reached: BackupReach; readonly lines: number }> {
  const { store, clock } = options;
  const outbox = new OutboxReader(store);
  const writer = new BackupWriter(options, from.generation, from.next, signal);
  let { eventId } = from;
  for (let count = 0; count < pagesMax; count++) {
    const atMs = clock.nowMs();
    const { events, rest } = await outbox.after(eventId, eventsPage);
    const before = writer.count;
    for (const resource of new Set(events.map((event) => event.resource))) {
      for await (const line of linesOfResource(options, resource)) await writer.add(line);
      if (resource.startsWith('bucket:')) await writer.add(await lineOfBucket(store, resource.slice(7)));
      if (!resource.startsWith('object:')) continue;
      const slash = resource.indexOf('/');
      for await (const line of linesOfKey(store, resource.slice(7, slash), resource.slice(slash + 1))) {
        await writer.add(line);
      }
    }
    eventId = events.at(-1)?.id ?? eventId;
    if (rest === 'done' && writer.count > before) await writer.add({ t: 'as-of', atMs });
    if (rest !== 'more') break;
  }
  if (writer.count > 0) await writer.flush(false);
  const { next } = writer;
  const changeLines = from.changeLines + writer.count;
  return { reached: { ...from, next, eventId, changeLines }, lines: writer.count };
}

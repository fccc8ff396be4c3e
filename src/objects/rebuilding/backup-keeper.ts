import { lastEventId } from '../../kernel/events/queries.ts';
import { OutboxReader } from '../../kernel/events/outbox.ts';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { IdSource } from '../../kernel/ids.ts';
import type { Keeper } from '../../kernel/keepers/keeper.ts';
import type { GapWatch, Store } from '../../kernel/store/store.ts';
import { dropBackups, supersede } from './drop-backups.ts';
import { spreadBackup } from './spread-backup.ts';
import {
  type BackupMemory,
  type BackupReach,
  backupKeeperName,
  foreignBackup,
  loadBackupMemory,
  saveBackupMemory,
} from './foreign-backup.ts';
import { lineOfBucket, linesOfAll, linesOfKey } from './backup-lines.ts';
import { backupPrefix } from './backup-place.ts';
import { BackupWriter, type BackupWriterOptions } from './backup-writer.ts';

export interface BackupKeeperOptions extends BackupWriterOptions {
  readonly store: Store;
  readonly newId: IdSource;
  readonly periodMs: number;
}

const eventsPage = 1_000;
const pagesMax = 1_000;
/** Fewer changes than so many lines are no reason to tell everything again. */
const changeLinesMin = 10_000;
const wholeAgeMsMax = 7 * 86_400_000;
const settleWaitMs = 50;
const settleTriesMax = 200;

/**
 * Keeps a backup of the ledger on every backend: what blobs cannot tell of themselves, such as tags, locks, deletions and which
 * parts make an object. All of it once, then what changed, as the events tell; all of it again when as much has changed.
 */
export function backupKeeper(options: BackupKeeperOptions): Keeper {
  const { store, registry, newId, clock, periodMs, onError } = options;
  return {
    name: backupKeeperName,
    summary: 'Keeps a backup of the ledger on every backend, from which it can be rebuilt.',
    periodMs,
    run: async (signal) => {
      const memory = await loadBackupMemory(store);
      const { own, reached, isWriting, owed } = memory;
      await requireOwn(options, signal);
      // After a process that ended while it wrote nobody knows what stands: all is told anew.
      if (reached !== null && !isWriting && !isWorn(reached, clock.nowMs())) {
        const begun = await saveBackupMemory(store, { ...memory, isWriting: true });
        const { reached: now, lines } = await writeChanges(options, reached, signal);
        const done = await saveBackupMemory(store, { ...begun, reached: now, isWriting: false });
        const carried = await spreadBackup(registry, now.generation, signal, onError);
        if (owed.length > 0) await dropFormer(options, { ...done, reached: now }, signal);
        return `${lines} lines of what changed, ${carried} blobs carried to backends that lacked them`;
      }
      const generation = newId('led');
      const former = await supersede(registry, memory, signal, onError);
      // Remembered first: what a process leaves that dies here is ours all the same.
      const begin = { ...memory, own: [...own, generation], isWriting: true, owed: former };
      const begun = await saveBackupMemory(store, begin);
      const whole = await writeWhole(options, generation, signal);
      // What changed while it was written is told before the backup before it goes.
      const { reached: now } = await writeChanges(options, whole, signal);
      const done = await saveBackupMemory(store, { ...begun, reached: now, isWriting: false });
      await dropFormer(options, { ...done, reached: now }, signal);
      return `${whole.wholeLines} lines of all there is`;
    },
  };
}

/** The backup of another ledger is what that one can be rebuilt from: it is never written over. */
async function requireOwn({ store, registry, onError }: BackupKeeperOptions, signal: AbortSignal): Promise<void> {
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

/** Where copies were moved to since then is told by no event, so that all is told anew now and then. */
function isWorn({ wholeLines, changeLines, wholeAtMs }: BackupReach, nowMs: number): boolean {
  return changeLines > Math.max(changeLinesMin, wholeLines) || nowMs - wholeAtMs > wholeAgeMsMax;
}

async function writeWhole(options: BackupKeeperOptions, generation: string, signal: AbortSignal): Promise<BackupReach> {
  const { store, clock } = options;
  const eventId = await settledEventId(store, signal);
  const atMs = clock.nowMs();
  const writer = new BackupWriter(options, generation, 1, signal);
  for await (const line of linesOfAll(store)) await writer.add(line);
  await writer.add({ t: 'as-of', atMs });
  await writer.flush(true);
  return { generation, next: writer.next, eventId, wholeLines: writer.count, changeLines: 0, wholeAtMs: atMs };
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

async function writeChanges(
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

/** Removes the backups before this one, where this one stands, and remembers where something is left. */
async function dropFormer(
  { store, registry, onError }: BackupKeeperOptions,
  memory: BackupMemory & { readonly reached: BackupReach },
  signal: AbortSignal,
): Promise<void> {
  const { own, reached, owed } = memory;
  const left = await dropBackups(registry, { own, owed, generation: reached.generation }, signal, onError);
  await saveBackupMemory(store, { ...memory, owed: left });
}

import type { Keeper } from '../../kernel/keepers/keeper.ts';
import { dropBackups, supersede } from './drop-backups.ts';
import {
  type BackupMemory,
  type BackupReach,
  backupKeeperName,
  loadBackupMemory,
  saveBackupMemory,
} from './backup-memory.ts';
import { planBackup } from './plan-backup.ts';
import { spreadBackup } from './spread-backup.ts';
import { type BackupKeeperOptions, canGoOn, requireOwn, writeChanges, writeWhole } from './write-backup.ts';

/**
 * Keeps a backup of the ledger on every backend: what blobs cannot tell of themselves, such as tags, locks, deletions and which
 * parts make an object. All of it once, then what changed, as the events tell; all of it again when as much has changed.
 */
export function backupKeeper(options: BackupKeeperOptions): Keeper {
  const { store, registry, newId, periodMs, onError, coding } = options;
  // Else nobody would know before it is needed.
  const without = coding.isEncrypted
    ? ''
    : '; no access keys and no targets of notifications, since there are no root keys';
  return {
    name: backupKeeperName,
    summary: 'Keeps a backup of the ledger on every backend, from which it can be rebuilt.',
    periodMs,
    run: async (signal) => {
      const memory = await loadBackupMemory(store);
      await requireOwn(options, signal);
      if (canGoOn(memory, options)) {
        const begun = await saveBackupMemory(store, { ...memory, isWriting: true });
        const { reached, lines } = await writeChanges(options, memory.reached, signal);
        const done = await saveBackupMemory(store, { ...begun, reached, isWriting: false });
        const carried = await spreadBackup(registry, reached.generation, signal, onError);
        if (done.owed.length > 0) await dropFormer(options, { ...done, reached }, signal);
        return `${lines} lines of what changed, ${carried} blobs carried to backends that lacked them${without}`;
      }
      const generation = newId('led');
      const owed = await supersede(registry, memory, signal, onError);
      // Remembered first: what a process leaves that dies here is ours all the same.
      const own = [...memory.own, generation];
      const begun = await saveBackupMemory(store, { ...memory, own, isWriting: true, owed });
      const whole = await writeWhole(options, generation, signal);
      // What changed while it was written is told before the backup before it goes.
      const { reached } = await writeChanges(options, whole, signal);
      const done = await saveBackupMemory(store, { ...begun, reached, isWriting: false });
      await dropFormer(options, { ...done, reached }, signal);
      return `${whole.wholeLines} lines of all there is${without}`;
    },
    plan: (signal) => planBackup(options, signal),
  };
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

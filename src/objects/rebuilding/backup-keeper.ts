import type { Keeper } from '../../kernel/keepers/keeper.ts';
import { formerBackups } from './former-backups.ts';
import { backupKeeperName, changeBackupMemory, loadBackupMemory } from './foreign-backup.ts';
import { backupLimits } from './backup-place.ts';
import { planBackup } from './plan-backup.ts';
import { spreadBackup } from './spread-backup.ts';
import { type BackupKeeperOptions, canGoOn, requireOwn, writeChanges, writeWhole } from './write-backup.ts';

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
      const before = await loadBackupMemory(store);
      const { own, reached } = before;
      await requireOwn(options, signal);
      if (canGoOn(before, clock.nowMs())) {
        const writing = await changeBackupMemory(store, before, { ...before, isWriting: true });
        const { reached: now, lines } = await writeChanges(options, before.reached, signal);
        await changeBackupMemory(store, writing, { own, reached: now, isWriting: false });
        const carried = await spreadBackup(registry, now.generation, signal, onError);
        return `${lines} lines of what changed, ${carried} blobs carried to backends that lacked them`;
      }
      const generation = newId('led');
      // Remembered first: what a process leaves that dies here is ours all the same.
      const writing = await changeBackupMemory(store, before, { own: [...own, generation], reached, isWriting: true });
      const whole = await writeWhole(options, generation, signal);
      // What changed while it was written is told before the backup before it goes.
      const { reached: now } = await writeChanges(options, whole, signal);
      await changeBackupMemory(store, writing, { ...writing, reached: now, isWriting: false });
      await dropFormer(options, { former: own, generation }, signal);
      return `${whole.wholeLines} lines of all there is`;
    },
    plan: (signal) => planBackup(options, signal),
  };
}

/** Removes the backups before this one, where this one stands. */
async function dropFormer(
  { registry, onError }: BackupKeeperOptions,
  { former, generation }: { readonly former: readonly string[]; readonly generation: string },
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    registry.all.map(async ({ name, backend }) => {
      try {
        const { old, isStanding } = await formerBackups(backend, { former, generation }, signal);
        if (isStanding) for (const key of old) await backend.delete(key, backupLimits(signal));
      } catch (error) {
        onError(error, `former backups of the ledger were not removed from the backend ${name}`);
      }
    }),
  );
}

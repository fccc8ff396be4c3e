import type { KnownBackend, ObjectBackendRegistry } from '../backends/registry.ts';
import { backupKey, backupLimits, listBackups } from './backup-place.ts';
import { formerBackups } from './former-backups.ts';
import type { BackupMemory, FormerBackup } from './backup-memory.ts';

/** Tells of what could not be done on a backend, which is done another time. */
type OnError = (error: unknown, about: string) => void;

/**
 * The backups that a new one takes the place of, with how far each came: what an attempt left that was cut off, such as an
 * upload that no listing shows, can be found by the names that it may have had. On all backends until each was cleared.
 */
export async function supersede(
  registry: ObjectBackendRegistry,
  { own, reached, owed }: BackupMemory,
  signal: AbortSignal,
  onError: OnError,
): Promise<FormerBackup[]> {
  // What was superseded before is owed already, or cleared away. Of a ledger that was just rebuilt nothing was.
  const begun = reached === null ? own : [reached.generation, ...own.slice(-1)];
  const ends = new Map<string, number>();
  for (const generation of begun) if (!owed.some((one) => one.generation === generation)) ends.set(generation, 1);
  if (reached !== null && ends.has(reached.generation)) ends.set(reached.generation, reached.next);
  if (ends.size === 0) return [...owed];
  for (const { name, backend } of registry.all) {
    try {
      for await (const { generation, number } of listBackups(backend, signal)) {
        const end = ends.get(generation);
        if (end !== undefined) ends.set(generation, Math.max(end, number + 1));
      }
    } catch (error) {
      onError(error, `backups of the ledger were not looked for on the backend ${name}`);
    }
  }
  const backends = registry.all.map(({ name }) => name);
  return [...owed, ...[...ends].map(([generation, end]) => ({ generation, end, backends }))];
}

/**
 * Removes the backups before this one from each backend where this one stands, and what attempts at them left there. Gives
 * what is still owed.
 */
export async function dropBackups(
  registry: ObjectBackendRegistry,
  { own, owed, generation }: Pick<BackupMemory, 'own' | 'owed'> & { readonly generation: string },
  signal: AbortSignal,
  onError: OnError,
): Promise<FormerBackup[]> {
  const former = own.filter((one) => one !== generation);
  const cleared = new Set<string>();
  await Promise.all(
    registry.all.map(async (known) => {
      const owedHere = owed.filter(({ backends }) => backends.includes(known.name));
      try {
        if (await dropOn(known, { former, owedHere, generation }, signal)) cleared.add(known.name);
      } catch (error) {
        onError(error, `former backups of the ledger were not removed from the backend ${known.name}`);
      }
    }),
  );
  const isLeft = (name: string) => registry.get(name) !== null && !cleared.has(name);
  return owed
    .map((one) => ({ ...one, backends: one.backends.filter(isLeft) }))
    .filter(({ backends }) => backends.length > 0);
}

interface Drop {
  readonly former: readonly string[];
  readonly owedHere: readonly FormerBackup[];
  readonly generation: string;
}

async function dropOn(
  { backend }: KnownBackend,
  { former, owedHere, generation }: Drop,
  signal: AbortSignal,
): Promise<boolean> {
  const { old, isStanding } = await formerBackups(backend, { former, generation }, signal);
  if (!isStanding) return false;
  const keys = old.map(({ storageKey }) => storageKey);
  const stood = new Set(old.map((blob) => `${blob.generation}/${blob.number}`));
  for (const { generation: gone, end } of owedHere) {
    for (let number = 1; number <= end; number++) {
      if (!stood.has(`${gone}/${number}`)) keys.push(backupKey(gone, number, false), backupKey(gone, number, true));
    }
  }
  for (const key of keys) await backend.delete(key, backupLimits(signal));
  return true;
}

import type { KnownBackend, ObjectBackendRegistry } from '../backends/registry.ts';
import { chunksOf } from '../content/content.ts';
import { backupLimits, listBackups } from './backup-place.ts';

/** A blob that a backend lacks, and one that has it. */
export interface MissingBackup {
  readonly storageKey: string;
  readonly from: KnownBackend;
  readonly to: KnownBackend;
}

/** What backends that take writes lack of a backup that others have: one that was away, or is new. Only lists. */
export async function missingBackups(
  registry: ObjectBackendRegistry,
  generation: string,
  signal: AbortSignal,
  onError: (error: unknown, about: string) => void,
): Promise<MissingBackup[]> {
  const standing = new Map<KnownBackend, Set<string>>();
  for (const known of registry.all) {
    if (known.state !== 'active') continue;
    try {
      const keys = new Set<string>();
      for await (const blob of listBackups(known.backend, signal)) {
        if (blob.generation === generation) keys.add(blob.storageKey);
      }
      standing.set(known, keys);
    } catch (error) {
      onError(error, `backups of the ledger were not looked for on the backend ${known.name}`);
    }
  }
  const wanted = [...new Set([...standing.values()].flatMap((keys) => [...keys]))].sort();
  return [...standing].flatMap(([to, keys]) =>
    wanted
      .filter((storageKey) => !keys.has(storageKey))
      .map((storageKey) => ({ storageKey, to, from: [...standing].find(([, has]) => has.has(storageKey))![0] })),
  );
}

/**
 * Carries a backup to backends that do not have all of it. Gives how many blobs it carried; what fails is told and done
 * another time.
 */
export async function spreadBackup(
  registry: ObjectBackendRegistry,
  generation: string,
  signal: AbortSignal,
  onError: (error: unknown, about: string) => void,
): Promise<number> {
  const failing = new Set<KnownBackend>();
  let carried = 0;
  for (const { from, to, storageKey } of await missingBackups(registry, generation, signal, onError)) {
    if (failing.has(to)) continue;
    try {
      await carry(from, to, storageKey, signal);
      carried++;
    } catch (error) {
      onError(error, `a backup of the ledger was not carried to the backend ${to.name}`);
      failing.add(to);
    }
  }
  return carried;
}

/** A blob of a backup is small: see `BackupWriter`. */
async function carry(from: KnownBackend, to: KnownBackend, key: string, signal: AbortSignal): Promise<void> {
  const blob = await from.backend.get(key, null, backupLimits(signal));
  if (blob === null) return;
  const pieces: Buffer[] = [];
  for await (const piece of chunksOf(blob.content)) pieces.push(piece);
  const bytes = Buffer.concat(pieces);
  // An attempt that failed may have left a part of it.
  await to.backend.delete(key, backupLimits(signal));
  await to.backend.put(key, bytes, { sizeBytes: bytes.length, signal: backupLimits(signal) });
}

import { KeeperMark } from '../../kernel/keepers/mark.ts';
import type { Store } from '../../kernel/store/store.ts';
import type { ObjectBackend } from '../backends/backend.ts';
import { listBackups } from './backup-place.ts';

export const backupKeeperName = 'object-ledger-backup';

/** What the keeper of backups remembers, whichever process runs it. */
export interface BackupMemory {
  /** Generations that this ledger has written, or was rebuilt from. */
  readonly own: readonly string[];
  /** `null`: nothing was told yet, or it is to be told anew. */
  readonly reached: BackupReach | null;
  /** Whether more may stand than is remembered, from a process that ended while it wrote. */
  readonly isWriting: boolean;
  /** Backups that others took the place of, and that may have left something somewhere. */
  readonly owed: readonly FormerBackup[];
}

/** A backup that is to be removed, with what attempts at it left. */
export interface FormerBackup {
  readonly generation: string;
  /** No blob of a higher number was ever begun. */
  readonly end: number;
  /** Where it was not cleared away yet. */
  readonly backends: readonly string[];
}

/** How far a backup is. */
export interface BackupReach {
  readonly generation: string;
  /** The number of the next blob. */
  readonly next: number;
  /** The id of the last event whose change was told. */
  readonly eventId: number;
  readonly wholeLines: number;
  /** Lines since the whole. */
  readonly changeLines: number;
  /** When the whole was begun. */
  readonly wholeAtMs: number;
}

/** Of former generations, which are removed as soon as each backend can be reached. */
const generationsKnown = 1_000;

export async function loadBackupMemory(store: Store): Promise<BackupMemory> {
  const text = await new KeeperMark(store, backupKeeperName).load();
  const none: BackupMemory = { own: [], reached: null, isWriting: false, owed: [] };
  return text === null ? none : { ...none, ...(JSON.parse(text) as Partial<BackupMemory>) };
}

export function saveBackupMemory(store: Store, { own, owed, ...rest }: BackupMemory): Promise<void> {
  const mark = new KeeperMark(store, backupKeeperName);
  const bounded = { own: own.slice(-generationsKnown), owed: owed.slice(-generationsKnown) };
  return mark.save(JSON.stringify({ ...bounded, ...rest }));
}

/**
 * The backup of another ledger on a backend, `null` when there is none; that of a later state of this one, which was put back
 * to an earlier one, is of another as well. Blobs beside it may be objects that can be rebuilt from it.
 */
export async function foreignBackup(store: Store, backend: ObjectBackend, signal: AbortSignal): Promise<string | null> {
  const { own, reached, isWriting } = await loadBackupMemory(store);
  for await (const { generation, number } of listBackups(backend, signal)) {
    const isAhead = generation === reached?.generation && number >= reached.next && !isWriting;
    if (isAhead || !own.includes(generation)) return generation;
  }
  return null;
}

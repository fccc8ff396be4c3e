import { HoldfastError } from '../../kernel/errors/errors.ts';
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

const nothing: BackupMemory = { own: [], reached: null, isWriting: false };

export async function loadBackupMemory(store: Store): Promise<BackupMemory> {
  const text = await new KeeperMark(store, backupKeeperName).load();
  return text === null ? nothing : (JSON.parse(text) as BackupMemory);
}

/**
 * Remembers what comes after `before`, which was loaded or changed to. Gives what is remembered. Throws `conflict` when
 * somebody else has changed it since: of two that write one backup at once, one would leave out what the other has told.
 */
export async function changeBackupMemory(
  store: Store,
  before: BackupMemory,
  { own, reached, isWriting }: BackupMemory,
): Promise<BackupMemory> {
  const after = { own: own.slice(-generationsKnown), reached, isWriting };
  const from = before === nothing ? null : JSON.stringify(before);
  if (await new KeeperMark(store, backupKeeperName).swap(from, JSON.stringify(after))) return after;
  throw new HoldfastError('conflict', 'Another process has begun to back the ledger up; this one leaves it to that.');
}

/**
 * The backup of another ledger on a backend, `null` when there is none; that of a later state of this one, which was put back
 * to an earlier one, is of another as well. Blobs beside it may be objects that can be rebuilt from it.
 */
export async function foreignBackup(store: Store, backend: ObjectBackend, signal: AbortSignal): Promise<string | null> {
  const last = new Map<string, number>();
  for await (const { generation, number } of listBackups(backend, signal)) last.set(generation, number);
  // Loaded after the listing: what another process writes meanwhile it has remembered before.
  const { own, reached, isWriting } = await loadBackupMemory(store);
  for (const [generation, number] of last) {
    const isAhead = generation === reached?.generation && number >= reached.next && !isWriting;
    if (isAhead || !own.includes(generation)) return generation;
  }
  return null;
}

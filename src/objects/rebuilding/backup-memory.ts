import { HoldfastError } from '../../kernel/errors/errors.ts';
import { KeeperMark } from '../../kernel/keepers/mark.ts';
import type { Store } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';

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
  /** How often it was saved. */
  readonly revision: number;
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
  /** How its lines are told; earlier releases have not said so. */
  readonly form?: string;
}

/** Of former generations, which are removed as soon as each backend can be reached. */
const generationsKnown = 1_000;

export async function loadBackupMemory(store: Store): Promise<BackupMemory> {
  return memoryOf(await new KeeperMark(store, backupKeeperName).load());
}

function memoryOf(mark: string | null): BackupMemory {
  const none: BackupMemory = { own: [], reached: null, isWriting: false, owed: [], revision: 0 };
  return mark === null ? none : { ...none, ...(JSON.parse(mark) as Partial<BackupMemory>) };
}

/**
 * Saves what was made of what was loaded, and gives it as it stands. Throws `conflict` when somebody else has saved since: a
 * process that slept through its turn must not have the one after it forget what it wrote.
 */
export function saveBackupMemory(store: Store, memory: BackupMemory): Promise<BackupMemory> {
  return store.write(saveMemory, memory);
}

export const saveMemory = transaction(
  import.meta.url,
  'saveMemory',
  async (tx, { own, owed, revision, ...rest }: BackupMemory): Promise<BackupMemory> => {
    const bounded = { own: own.slice(-generationsKnown), owed: owed.slice(-generationsKnown) };
    const saved = { ...bounded, ...rest, revision: revision + 1 };
    const text = JSON.stringify(saved);
    await tx.run('insert into keepers (name, until, runs) values (?, 0, 0) on conflict (name) do nothing', [
      backupKeeperName,
    ]);
    const statement = `select mark from keepers where name = ? ${tx.fragments.forUpdate}`;
    const [row] = await tx.rows<{ mark: string | null }>(statement, [backupKeeperName]);
    const standing = memoryOf(row?.mark ?? null);
    // Else it is this one, whose answer was lost.
    if (standing.revision !== revision && row?.mark !== text) {
      throw new HoldfastError('conflict', 'Another process backs up the ledger, too; this one leaves it to that one.');
    }
    await tx.run('update keepers set mark = ? where name = ?', [text, backupKeeperName]);
    return saved;
  },
);

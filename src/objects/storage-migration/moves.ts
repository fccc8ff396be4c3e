import { transaction } from '../../kernel/store/transaction.ts';
import type { Copy } from '../object.ts';
import { claimMany } from '../ledger/claim.ts';
import { joinCopy } from '../ledger/copies.ts';

/** A copy on its way to the target. */
export interface Move {
  readonly writeId: string;
  readonly storageKey: string;
  readonly copy: Copy;
}

/** Claims room on the target for many copies in one commit: see {@link claimMany}. */
export const claimMoves = transaction(import.meta.url, 'claimMoves', claimMany);

export interface JoinMoves {
  readonly id: string;
  readonly moves: readonly Move[];
  readonly target: string;
  readonly nowMs: number;
}

const settle = 'delete from storage_migration_failures where content_id = ? and part = ?';
const progress = `update storage_migrations set moved_copies = moved_copies + ?, moved_bytes = moved_bytes + ?, last_error = null
  where id = ? and state = 'copying'`;

/** Enters copies that stand on the target, in one commit with the progress. What nobody refers to any more is disposed of. */
export const joinMoves = transaction(
  import.meta.url,
  'joinMoves',
  async (tx, { id, moves, target, nowMs }: JoinMoves): Promise<void> => {
    let bytes = 0;
    const [failed] = await tx.rows('select 1 from storage_migration_failures limit 1', []);
    const inOrder = moves.toSorted((a, b) => (a.copy.contentId < b.copy.contentId ? -1 : 1));
    for (const { writeId, copy } of inOrder) {
      const { contentId, part, sizeBytes, crc32, form, storedBytes } = copy;
      const written = { contentId, part, sizeBytes, crc32, form };
      // The source takes no writes, so that its copy does not count among those that the bucket wants.
      const copiesWanted = Number.MAX_SAFE_INTEGER;
      await joinCopy.body(tx, { written, writeId, backend: target, copiesWanted, nowMs });
      if (failed !== undefined) await tx.run(settle, [contentId, part]);
      bytes += storedBytes;
    }
    await tx.run(progress, [moves.length, bytes, id]);
  },
);

export interface FailMoves {
  readonly id: string;
  readonly failures: readonly { readonly copy: Copy; readonly error: string }[];
  readonly firstWaitMs: number;
  readonly lastWaitMs: number;
  readonly nowMs: number;
}

const fail = `insert into storage_migration_failures (content_id, part, attempts, error, due_at, failed_at)
  values (?, ?, 1, ?, ?, ?) on conflict (content_id, part) do update set attempts = storage_migration_failures.attempts + 1,
  error = excluded.error, failed_at = excluded.failed_at, due_at = ?`;

/** Lists copies that could not be carried, to be tried again later; the wait doubles each time. */
export const failMoves = transaction(
  import.meta.url,
  'failMoves',
  async (tx, { id, failures, firstWaitMs, lastWaitMs, nowMs }: FailMoves): Promise<void> => {
    for (const { copy, error } of failures) {
      const { contentId, part } = copy;
      const [known] = await tx.rows<{ attempts: number }>(
        'select attempts from storage_migration_failures where content_id = ? and part = ?',
        [contentId, part],
      );
      const dueAtMs = nowMs + Math.min(lastWaitMs, firstWaitMs * 2 ** Math.min(30, known?.attempts ?? 0));
      await tx.run(fail, [contentId, part, error, dueAtMs, nowMs, dueAtMs]);
    }
    await tx.run('update storage_migrations set last_error = ? where id = ?', [failures.at(-1)?.error ?? null, id]);
  },
);

/** Has what failed tried again at once. Gives how many. */
export const retryMoves = transaction(
  import.meta.url,
  'retryMoves',
  async (tx, { nowMs }: { readonly nowMs: number }): Promise<number> =>
    tx.run('update storage_migration_failures set due_at = ?', [nowMs]),
  () => true,
);

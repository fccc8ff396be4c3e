import { transaction } from '../../kernel/store/transaction.ts';
import type { CopyRow } from '../tables.ts';
import { noteIntegrity } from './note-integrity.ts';

export interface KeepBadCopy {
  readonly contentId: string;
  readonly part: number;
  readonly backend: string;
  readonly storageKey: string;
  readonly reason: string;
  readonly nowMs: number;
}

/**
 * Records that a copy is bad that is kept, since no good one was read. It is told once, until somebody finds it good again:
 * every later look finds the same.
 */
export const keepBadCopy = transaction(
  import.meta.url,
  'keepBadCopy',
  async (tx, { contentId, part, backend, storageKey, reason, nowMs }: KeepBadCopy): Promise<void> => {
    await tx.lock(`content:${contentId}`);
    const [row] = await tx.rows<CopyRow>(
      `update copies set damaged_at = ? where content_id = ? and part = ? and backend = ? and storage_key = ?
       and damaged_at is null returning *`,
      [nowMs, contentId, part, backend, storageKey],
    );
    if (row === undefined) return;
    const detail = { backend, storage_key: storageKey, reason, kept: true };
    await noteIntegrity(tx, 'integrity.corruption_detected', { contentId, part }, detail, nowMs);
  },
);

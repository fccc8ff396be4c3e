import { transaction } from '../../kernel/store/transaction.ts';
import type { Copy } from '../object.ts';
import type { CopyRow } from '../tables.ts';
import { dispose, disposalOf } from './dispose.ts';
import { noteShortfall } from './copies.ts';
import { noteIntegrity, objectOf } from './note-integrity.ts';

export interface BadCopy {
  readonly contentId: string;
  readonly part: number;
  readonly backend: string;
  readonly storageKey: string;
  /** Another copy, whose bytes were read and are right. */
  readonly good: Pick<Copy, 'backend' | 'storageKey'>;
  readonly reason: string;
  readonly nowMs: number;
}

const owedForDamage = 'update shortfalls set damaged_at = ? where content_id = ? and part = ? and damaged_at is null';

/**
 * Lets go of a copy that is not what was written, and asks for a new one, as long as the one that was found good is still
 * there: the last good copy never goes. Gives whether it went.
 */
export const replaceBadCopy = transaction(
  import.meta.url,
  'replaceBadCopy',
  async (tx, { contentId, part, backend, storageKey, good, reason, nowMs }: BadCopy): Promise<boolean> => {
    await tx.lock(`content:${contentId}`);
    const standing = 'select 1 from copies where content_id = ? and part = ? and backend = ? and storage_key = ?';
    const [other] = await tx.rows(standing, [contentId, part, good.backend, good.storageKey]);
    if (other === undefined || good.backend === backend) return false;
    const rows = await tx.rows<CopyRow>(
      'delete from copies where content_id = ? and part = ? and backend = ? and storage_key = ? returning *',
      [contentId, part, backend, storageKey],
    );
    const [row] = rows;
    if (row === undefined) return false;
    await dispose(tx, [disposalOf(row, 'damaged')], nowMs);
    const ref = { contentId, part };
    await noteShortfall(tx, ref, (await objectOf(tx, contentId))?.bucket ?? '', nowMs);
    await tx.run(owedForDamage, [nowMs, contentId, part]);
    // A bad copy that was kept so far was told when it was found.
    if (row.damaged_at !== null) return true;
    const detail = { backend, storage_key: storageKey, reason, kept: false };
    await noteIntegrity(tx, 'integrity.corruption_detected', ref, detail, nowMs);
    return true;
  },
);

import { transaction } from '../../kernel/store/transaction.ts';
import { appendEvent } from '../../kernel/events/event.ts';
import type { Copy } from '../object.ts';
import type { CopyRow, ObjectRow } from '../tables.ts';
import { dispose, disposalOf } from './dispose.ts';
import { noteShortfall } from './copies.ts';

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
    const [object] = await tx.rows<ObjectRow>('select * from objects where content_id = ? limit 1', [contentId]);
    await noteShortfall(tx, { contentId, part }, object?.bucket ?? '', nowMs);
    await tx.lock(`event:content:${contentId}`);
    await appendEvent(tx, {
      resource: `content:${contentId}`,
      type: 'object.copy_damaged',
      data: { bucket: object?.bucket ?? null, key: object?.object_key ?? null, backend, part, reason },
      operationId: null,
      actor: 'gateway',
      createdAtMs: nowMs,
    });
    return true;
  },
);

import { transaction } from '../../kernel/store/transaction.ts';
import { appendEvent } from '../../kernel/events/event.ts';
import type { CopyRow, ObjectRow } from '../tables.ts';
import { dispose, disposalOf } from './dispose.ts';
import { noteShortfall } from './copies.ts';

export interface BadCopy {
  readonly contentId: string;
  readonly part: number;
  readonly backend: string;
  readonly storageKey: string;
  readonly reason: string;
  readonly nowMs: number;
}

/**
 * Lets go of a copy that is not what was written, when there is another one, and asks for a new one. The last copy stays,
 * since something is better than nothing. Gives whether it went.
 */
export const reportBadCopy = transaction(
  import.meta.url,
  'reportBadCopy',
  async (tx, { contentId, part, backend, storageKey, reason, nowMs }: BadCopy): Promise<boolean> => {
    await tx.lock(`content:${contentId}`);
    const [other] = await tx.rows('select 1 from copies where content_id = ? and part = ? and backend <> ? limit 1', [
      contentId,
      part,
      backend,
    ]);
    if (other === undefined) return false;
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

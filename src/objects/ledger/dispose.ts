import type { Tx } from '../../kernel/store/store.ts';
import { standardClass } from '../storage-class.ts';
import type { CopyRow, ObjectRow } from '../tables.ts';
import { oweMoving } from './owed.ts';

/** Why bytes are deleted; for people. */
export type DisposalReason =
  | 'overwritten'
  | 'deleted'
  | 'failed write'
  | 'abandoned write'
  | 'aborted upload'
  | 'moved'
  | 'damaged'
  | 'rewritten'
  | 'surplus';

const enqueue = `insert into cleanup (backend, storage_key, stored_bytes, reason, state, due_at, attempts, is_uncertain,
  claimed_until, created_at) values (?, ?, ?, ?, 'waiting', ?, 0, ?, 0, ?) on conflict (backend, storage_key) do nothing`;

/** Bytes that nothing refers to any more. They stay on the books until they are gone. */
export interface Disposal {
  readonly backend: string;
  readonly storageKey: string;
  readonly storedBytes: number;
  readonly reason: DisposalReason;
  /** Whether bytes may still arrive after they were deleted, from a write whose end nobody saw. */
  readonly isUncertain: boolean;
}

export async function dispose(tx: Tx, disposals: readonly Disposal[], nowMs: number): Promise<void> {
  for (const { backend, storageKey, storedBytes, reason, isUncertain } of disposals) {
    await tx.run(enqueue, [backend, storageKey, storedBytes, reason, nowMs, isUncertain ? 1 : 0, nowMs]);
  }
}

/** One that is in STANDARD, if there is one: then nothing has to move. */
const stillUsed = `select bucket, storage_class from objects where content_id = ?
  order by case when storage_class = ? then 0 else 1 end limit 1`;
type Using = Pick<ObjectRow, 'bucket' | 'storage_class'>;

/**
 * Queues the bytes of a content for deletion, unless a version or an open upload refers to it still; in the transaction
 * that removed the last reference. Contents are shared by copies of an object, so references are counted under a lock.
 */
export async function releaseContent(tx: Tx, contentId: string, reason: DisposalReason, nowMs: number): Promise<void> {
  await tx.lock(`content:${contentId}`);
  const [used] = await tx.rows<Using>(stillUsed, [contentId, standardClass]);
  if (used !== undefined) {
    // The one that went may have been what kept the bytes warm.
    if (used.storage_class !== standardClass) await oweMoving(tx, contentId, used.bucket, nowMs);
    return;
  }
  const copies = await tx.rows<CopyRow>('delete from copies where content_id = ? returning *', [contentId]);
  await tx.run('delete from object_parts where content_id = ?', [contentId]);
  await tx.run('delete from shortfalls where content_id = ?', [contentId]);
  await dispose(
    tx,
    copies.map((row) => disposalOf(row, reason)),
    nowMs,
  );
}

export function disposalOf(row: CopyRow, reason: DisposalReason): Disposal {
  return {
    backend: row.backend,
    storageKey: row.storage_key,
    storedBytes: row.stored_bytes,
    reason,
    isUncertain: false,
  };
}

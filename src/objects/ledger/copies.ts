import type { Tx } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import type { IntentRow } from '../tables.ts';
import { type WriteEnd, disposeIntents, settleIntents } from './intents.ts';

/** What a write has written: the bytes of one part of a content. */
export interface WrittenPart {
  readonly contentId: string;
  readonly part: number;
  readonly sizeBytes: number;
  readonly crc32: number;
}

const insert = `insert into copies (content_id, part, backend, storage_key, size_bytes, stored_bytes, crc32, created_at)
  values (?, ?, ?, ?, ?, ?, ?, ?)`;

const owe = `insert into shortfalls (content_id, part, bucket, due_at, attempts, claimed_until, created_at)
  values (?, ?, ?, ?, 0, 0, ?) on conflict (content_id, part) do nothing`;

/** Turns the intents of a write into copies; notes the shortfall when there are fewer than wanted. */
export async function enterCopies(
  tx: Tx,
  written: WrittenPart,
  write: WriteEnd,
  wish: { readonly bucket: string; readonly copiesWanted: number; readonly nowMs: number },
): Promise<void> {
  const rows = await settleIntents(tx, write, wish.nowMs);
  for (const row of rows) await insertCopy(tx, written, row, wish.nowMs);
  if (rows.length < wish.copiesWanted) await noteShortfall(tx, written, wish.bucket, wish.nowMs);
}

function insertCopy(tx: Tx, { contentId, part, sizeBytes, crc32 }: WrittenPart, row: IntentRow, nowMs: number) {
  return tx.run(insert, [contentId, part, row.backend, row.storage_key, sizeBytes, row.stored_bytes, crc32, nowMs]);
}

/** Says that a part of a content may have fewer copies than its bucket wants. */
export async function noteShortfall(
  tx: Tx,
  { contentId, part }: Pick<WrittenPart, 'contentId' | 'part'>,
  bucket: string,
  nowMs: number,
): Promise<void> {
  await tx.run(owe, [contentId, part, bucket, nowMs, nowMs]);
}

export interface JoiningCopy {
  readonly written: WrittenPart;
  readonly writeId: string;
  readonly backend: string;
  readonly nowMs: number;
}

/**
 * Enters a copy that was finished after its write was acknowledged, or that was made from another copy. It counts only
 * while the content is still there; else its bytes are deleted. Gives whether it counts.
 */
export const joinCopy = transaction(
  import.meta.url,
  'joinCopy',
  async (tx, { written, writeId, backend, nowMs }: JoiningCopy): Promise<boolean> => {
    await tx.lock(`content:${written.contentId}`);
    const rows = await tx.rows<IntentRow>('delete from intents where write_id = ? and backend = ? returning *', [
      writeId,
      backend,
    ]);
    const [row] = rows;
    if (row === undefined) return false;
    const [sibling] = await tx.rows(
      'select 1 from copies where content_id = ? and part = ? and crc32 = ? and backend <> ? limit 1',
      [written.contentId, written.part, written.crc32, backend],
    );
    const [twin] = await tx.rows('select 1 from copies where content_id = ? and part = ? and backend = ?', [
      written.contentId,
      written.part,
      backend,
    ]);
    if (sibling === undefined || twin !== undefined) {
      await disposeIntents(tx, rows, 'failed write', nowMs);
      return false;
    }
    await insertCopy(tx, written, row, nowMs);
    return true;
  },
);

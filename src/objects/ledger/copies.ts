import type { Tx } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import { type StoredForm, formColumn } from '../content/form.ts';
import type { CopyRow, IntentRow } from '../tables.ts';
import { type WriteEnd, disposeIntents, settleIntents } from './intents.ts';
import { isAway } from './outages.ts';
import { type Labels, standsWell } from './standing.ts';
import { owedAlready } from './owed.ts';
import { noteSurplus } from './surpluses.ts';

/** What a write has written: the bytes of one part of a content. */
export interface WrittenPart {
  readonly contentId: string;
  readonly part: number;
  readonly sizeBytes: number;
  readonly crc32: number;
  readonly form: StoredForm | null;
}

const insert = `insert into copies (content_id, part, backend, storage_key, size_bytes, stored_bytes, crc32, form,
  created_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?)`;

const owe = `insert into shortfalls (content_id, part, bucket, due_at, attempts, claimed_until, created_at)
  values (?, ?, ?, ?, 0, 0, ?) ${owedAlready}`;

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

function insertCopy(tx: Tx, written: WrittenPart, row: IntentRow, nowMs: number) {
  const { contentId, part, sizeBytes, crc32, form } = written;
  const { backend, storage_key: storageKey, stored_bytes: storedBytes } = row;
  const values = [contentId, part, backend, storageKey, sizeBytes, storedBytes, crc32, formColumn(form), nowMs];
  return tx.run(insert, values);
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
  /** How many copies on backends that take writes are enough. */
  readonly copiesWanted: number;
  /** What a backend must carry for its copy to count; absent: nothing. */
  readonly requiredLabels?: Labels | undefined;
  readonly nowMs: number;
}

const standing = `select c.backend, c.crc32, c.form, b.state, b.labels, case when ${isAway('c')} then 1 else 0 end as is_away
  from copies c join object_backends b on b.name = c.backend
  where c.content_id = ? and c.part = ?`;

type Standing = Pick<CopyRow, 'backend' | 'crc32' | 'form'> & {
  readonly state: string;
  readonly labels: string;
  readonly is_away: number;
};

/**
 * Enters a copy that was finished after its write was acknowledged, or that was made from another copy. It counts only
 * while the content is still there and wants one more: what a slow backend and the replicator both made is one too many.
 * Else its bytes are deleted. Gives whether it counts.
 */
export const joinCopy = transaction(
  import.meta.url,
  'joinCopy',
  async (tx, { written, writeId, backend, copiesWanted, requiredLabels, nowMs }: JoiningCopy): Promise<boolean> => {
    await tx.lock(`content:${written.contentId}`);
    const rows = await tx.rows<IntentRow>('delete from intents where write_id = ? and backend = ? returning *', [
      writeId,
      backend,
    ]);
    const [row] = rows;
    if (row === undefined) return false;
    const copies = await tx.rows<Standing>(standing, [written.contentId, written.part]);
    // A part that was uploaded again with the same bytes has another data key: a late copy of the first is of no use.
    const form = formColumn(written.form);
    const isSame = (copy: Standing) => copy.crc32 === written.crc32 && copy.form === form;
    const hasSibling = copies.some((copy) => isSame(copy) && copy.backend !== backend);
    const hasTwin = copies.some((copy) => copy.backend === backend);
    const isEnough = copies.filter((copy) => standsWell(copy, requiredLabels)).length >= copiesWanted;
    if (!hasSibling || hasTwin || isEnough) {
      await disposeIntents(tx, rows, 'failed write', nowMs);
      return false;
    }
    await insertCopy(tx, written, row, nowMs);
    const away = copies.find((copy) => copy.is_away === 1);
    if (away !== undefined) await noteSurplus(tx, written, away.backend, nowMs);
    return true;
  },
);

import { objectError } from '../errors.ts';
import type { Tx } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import type { IntentRow } from '../tables.ts';
import { type DisposalReason, dispose } from './dispose.ts';
import { disposeLate } from './late-bytes.ts';

/** How a write ended on each of its backends. */
export interface WriteEnd {
  readonly writeId: string;
  /** Where all bytes stand. */
  readonly kept: readonly string[];
  /** Where they do not, or where nobody knows. Backends in neither list are still being written. */
  readonly failed: readonly string[];
}

/**
 * Ends intents of a write in the transaction that commits it. Throws `ServiceUnavailable` when one of them is gone: the
 * write was taken for dead and its bytes may be gone too, so that it must not be acknowledged.
 */
export async function settleIntents(tx: Tx, end: WriteEnd, nowMs: number): Promise<readonly IntentRow[]> {
  const { writeId, kept, failed } = end;
  const rows: IntentRow[] = [];
  for (const backend of [...kept, ...failed]) {
    rows.push(
      ...(await tx.rows<IntentRow>('delete from intents where write_id = ? and backend = ? returning *', [
        writeId,
        backend,
      ])),
    );
  }
  const keptRows = rows.filter((row) => kept.includes(row.backend));
  if (keptRows.length !== kept.length) {
    throw objectError('ServiceUnavailable', {}, 'The write took too long and was given up; try again.');
  }
  const failedRows = rows.filter((row) => !kept.includes(row.backend));
  await disposeIntents(tx, failedRows, 'failed write', nowMs);
  return keptRows;
}

/** Bytes of intents that nobody will commit; more of them may still be on their way. */
export async function disposeIntents(
  tx: Tx,
  rows: readonly IntentRow[],
  reason: DisposalReason,
  nowMs: number,
): Promise<void> {
  const disposals = rows.map((row) => ({
    backend: row.backend,
    storageKey: row.storage_key,
    storedBytes: row.stored_bytes,
    reason,
    isUncertain: true,
  }));
  await dispose(tx, disposals, nowMs);
}

/** A write that nobody will commit. */
export interface AbandonedWrite {
  readonly writeId: string;
  readonly storageKey: string;
  readonly storedBytes: number;
  /** Where its bytes may stand. */
  readonly backends: readonly string[];
}

/**
 * Gives up what is left of a write: its intents become deletions. Where an intent is gone and there is no copy, somebody has
 * given up the write before, and what came after that is deleted too. A write that has committed has neither, so that
 * calling this when the outcome of the commit is unknown does no harm.
 */
export const abandonWrite = transaction(
  import.meta.url,
  'abandonWrite',
  async (
    tx,
    params: { readonly write: AbandonedWrite; readonly reason: DisposalReason; readonly nowMs: number },
  ): Promise<void> => {
    const { write, reason, nowMs } = params;
    const { writeId, backends, storageKey, storedBytes } = write;
    const rows = await tx.rows<IntentRow>('delete from intents where write_id = ? returning *', [writeId]);
    await disposeIntents(tx, rows, reason, nowMs);
    for (const backend of backends.toSorted()) {
      if (rows.some((row) => row.backend === backend)) continue;
      await disposeLate(tx, { backend, storageKey, storedBytes }, reason, nowMs);
    }
  },
);

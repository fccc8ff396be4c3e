import { HoldfastError } from '../errors/errors.ts';
import type { Tx } from '../store/store.ts';
import { type Call, transaction } from '../store/transaction.ts';

export interface CancelParams {
  readonly operationId: string;
  readonly resource: string;
  /** Whether the kind can be cancelled once it has begun. */
  readonly isCancellable: boolean;
  /** The domain's state if it has not begun. */
  readonly beforeStart: Call | null;
  readonly nowMs: number;
}

export type CancelResult = 'cancelled' | 'requested';

/**
 * Asks an operation to end. One that waits in line ends here and now; one that runs is told, settles, cleans up and
 * only then frees its resource. Repeating it changes nothing.
 *
 * Throws `conflict` when it has already ended, or when it runs and its kind cannot be cancelled.
 */
export const requestCancel = transaction(
  import.meta.url,
  'requestCancel',
  async (tx, params: CancelParams): Promise<CancelResult> => {
    const { operationId, resource, isCancellable, beforeStart, nowMs } = params;
    let status = await statusOf(tx, operationId);
    if (status === 'pending') {
      // The lock row first, as in a hand-over: else it could begin while it is being struck from the line.
      await tx.rows(`select resource from resource_locks where resource = ? ${tx.fragments.forUpdate}`, [resource]);
      status = await statusOf(tx, operationId);
    }
    if (status === 'pending') {
      await tx.run(
        `update operations set status = 'cancelled', cancel_requested = 1, finished_at = ?, version = version + 1 where id = ?`,
        [nowMs, operationId],
      );
      await tx.run('update resource_locks set waiting = waiting - 1 where resource = ?', [resource]);
      if (beforeStart !== null) await tx.call(beforeStart);
      return 'cancelled';
    }
    if (status === 'executing' && isCancellable) {
      // Without the lock row: its own end takes that one after its own row, and the other order could deadlock.
      const ask = `update operations set cancel_requested = 1, version = version + 1
        where id = ? and status = 'executing' and cancel_requested = 0`;
      if ((await tx.run(ask, [operationId])) === 1) return 'requested';
      status = await statusOf(tx, operationId);
      if (status === 'executing') return 'requested';
    }
    if (status === 'cancelled') return 'cancelled';
    const reason = status === 'executing' ? 'cannot be cancelled once it has begun' : `has already ${status}`;
    throw new HoldfastError('conflict', `Operation ${operationId} ${reason}.`, { status });
  },
);

async function statusOf(tx: Tx, operationId: string): Promise<string> {
  const [row] = await tx.rows<{ status: string }>('select status from operations where id = ?', [operationId]);
  if (row === undefined) throw new HoldfastError('not_found', `There is no operation ${operationId}.`);
  return row.status;
}

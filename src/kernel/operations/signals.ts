import { HoldfastError } from '../errors/errors.ts';
import { transaction } from '../store/transaction.ts';

/**
 * Sends a signal that an operation waits for, or will wait for: it is kept until then, and the first one wins.
 * Throws `not_found` for an unknown operation.
 */
export const sendSignal = transaction(
  import.meta.url,
  'sendSignal',
  async (
    tx,
    params: { readonly operationId: string; readonly name: string; readonly payload: unknown; readonly nowMs: number },
  ): Promise<void> => {
    const { operationId, name, payload, nowMs } = params;
    const known = await tx.rows('select id from operations where id = ?', [operationId]);
    if (known.length === 0) throw new HoldfastError('not_found', `There is no operation ${operationId}.`);
    await tx.run(
      `insert into operation_signals (operation_id, name, payload, created_at) values (?, ?, ?, ?)
       on conflict (operation_id, name) do nothing`,
      [operationId, name, JSON.stringify(payload ?? null), nowMs],
    );
  },
);

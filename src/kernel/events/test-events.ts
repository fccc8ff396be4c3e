import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '../errors/errors.ts';
import { transaction } from '../store/transaction.ts';
import { appendEvent } from './event.ts';

export interface HappenParams {
  readonly row: string;
  /** How many events this one transaction writes. */
  readonly count: number;
  readonly label: string;
  /** How long it stays open after it took its ids; not on an engine with one writer. */
  readonly openMs: number;
  readonly isRefused: boolean;
}

/** Changes a row and writes its events, as the domain does; or takes their ids and is rolled back. */
export const happen = transaction(import.meta.url, 'happen', async (tx, params: HappenParams): Promise<void> => {
  const { row, count, label, openMs, isRefused } = params;
  await tx.run(
    `insert into test_rows (id, state, changes) values (?, 'new', 1)
     on conflict (id) do update set changes = test_rows.changes + 1`,
    [row],
  );
  for (let index = 0; index < count; index++) {
    const data = { label, index };
    const facts = { type: 'happened', data, operationId: null, actor: 'test', createdAtMs: 0 };
    await appendEvent(tx, { resource: `row:${row}`, ...facts });
  }
  if (openMs > 0) await delay(openMs);
  if (isRefused) throw new HoldfastError('conflict', 'It did not happen after all.');
});

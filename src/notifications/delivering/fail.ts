import type { Tx } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import { deadLettersMax, targetResource } from '../target.ts';

export interface FailDelivery {
  readonly id: number;
  readonly target: string;
  readonly owner: string;
  readonly error: string;
  /** When it is tried again; `null` when it is not: then it is a dead letter. */
  readonly dueAtMs: number | null;
}

const fail = `update notification_deliveries set attempts = attempts + 1, last_error = ?, state = ?, due_at = ?,
  claimed_by = null, claimed_until = 0 where id = ? and claimed_by = ? and state = 'waiting'`;

/** Puts back what could not be delivered. */
export const failDelivery = transaction(
  import.meta.url,
  'failDelivery',
  async (tx, { id, target, owner, error, dueAtMs }: FailDelivery): Promise<void> => {
    await tx.lock(targetResource(target));
    const state = dueAtMs === null ? 'dead' : 'waiting';
    const changed = await tx.run(fail, [error, state, dueAtMs ?? 0, id, owner]);
    if (changed === 0 || dueAtMs !== null) return;
    await tx.run('update notification_targets set waiting = waiting - 1, dead = dead + 1 where name = ?', [target]);
    await dropOldest(tx, target);
  },
);

const oldest = `delete from notification_deliveries where id in (select id from notification_deliveries
  where target = ? and state = 'dead' order by id limit 1)`;

async function dropOldest(tx: Tx, target: string): Promise<void> {
  const [row] = await tx.rows<{ dead: number }>('select dead from notification_targets where name = ?', [target]);
  if ((row?.dead ?? 0) <= deadLettersMax) return;
  const gone = await tx.run(oldest, [target]);
  await tx.run('update notification_targets set dead = dead - ?, dropped = dropped + ? where name = ?', [
    gone,
    gone,
    target,
  ]);
}

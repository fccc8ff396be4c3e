import type { Tx } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import { targetResource } from '../target.ts';

/** How many dead letters one call deals with. */
export const deadLettersPerCallMax = 1_000;

/** Which dead letters of a target: those that are named, or with `null` the oldest. */
export interface DeadLetters {
  readonly target: string;
  readonly ids: readonly number[] | null;
}

/** Tries dead letters again, as if they were new, and their target too, should it be left alone just now. Gives how many. */
export const requeueDeadLetters = transaction(
  import.meta.url,
  'requeueDeadLetters',
  async (tx, { nowMs, ...which }: DeadLetters & { readonly nowMs: number }): Promise<number> => {
    const statement = `update notification_deliveries set state = 'waiting', attempts = 0, due_at = ?, created_at = ?
      where id = ? and target = ? and state = 'dead'`;
    const count = await changeEach(tx, which, 1, (id) => tx.run(statement, [nowMs, nowMs, id, which.target]));
    // Another version is delivered to as if nothing had ever failed.
    await tx.run('update notification_targets set version = version + 1 where name = ?', [which.target]);
    return count;
  },
);

/** Throws dead letters away. Gives how many. */
export const dropDeadLetters = transaction(
  import.meta.url,
  'dropDeadLetters',
  async (tx, which: DeadLetters): Promise<number> => {
    const statement = `delete from notification_deliveries where id = ? and target = ? and state = 'dead'`;
    return changeEach(tx, which, 0, (id) => tx.run(statement, [id, which.target]));
  },
);

async function changeEach(
  tx: Tx,
  { target, ids }: DeadLetters,
  waitingEach: 0 | 1,
  change: (id: number) => Promise<number>,
): Promise<number> {
  await tx.lock(targetResource(target));
  let count = 0;
  for (const id of ids ?? (await oldest(tx, target))) count += await change(id);
  await tx.run('update notification_targets set dead = dead - ?, waiting = waiting + ? where name = ?', [
    count,
    count * waitingEach,
    target,
  ]);
  return count;
}

async function oldest(tx: Tx, target: string): Promise<number[]> {
  const statement = `select id from notification_deliveries where target = ? and state = 'dead' order by id limit ?`;
  const rows = await tx.rows<{ id: number }>(statement, [target, deadLettersPerCallMax]);
  return rows.map(({ id }) => id);
}

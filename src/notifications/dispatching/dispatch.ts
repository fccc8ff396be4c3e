import type { Tx } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import { noteTarget } from '../changing/target-events.ts';
import { findTargetRow } from '../queries.ts';
import { backlogMax, targetResource } from '../target.ts';

/** One message for one target. */
export interface NewDelivery {
  readonly target: string;
  readonly eventId: number;
  readonly resource: string;
  readonly type: string;
  readonly body: string;
}

export interface Dispatch {
  /** The cursor as it was read: whoever finds another one there was overtaken, and does nothing. */
  readonly fromId: number;
  readonly toId: number;
  readonly deliveries: readonly NewDelivery[];
  readonly nowMs: number;
}

const move = 'update notification_cursor set event_id = ? where id = 1 and event_id = ?';

/**
 * Enters what is to be delivered of some events and moves the cursor past them, together or not at all: each event is
 * dispatched once. `false` when somebody else has done it.
 */
export const dispatchEvents = transaction(
  import.meta.url,
  'dispatchEvents',
  async (tx, { fromId, toId, deliveries, nowMs }: Dispatch): Promise<boolean> => {
    const byTarget = Map.groupBy(deliveries, ({ target }) => target);
    const names = [...byTarget.keys()].sort();
    for (const name of names) await tx.lock(targetResource(name));
    if ((await tx.run(move, [toId, fromId])) === 0) return false;
    for (const name of names) await enter(tx, name, byTarget.get(name)!, nowMs);
    return true;
  },
);

/** Moves the cursor past events that nobody can want, since there is no target. */
export const skipEvents = transaction(
  import.meta.url,
  'skipEvents',
  async (tx, { fromId, toId }: Pick<Dispatch, 'fromId' | 'toId'>): Promise<boolean> =>
    (await tx.run(`${move} and not exists (select 1 from notification_targets)`, [toId, fromId])) === 1,
  () => true,
);

/** A removed or disabled target is told nothing; one for which too much waits loses what is new. */
async function enter(tx: Tx, name: string, deliveries: readonly NewDelivery[], nowMs: number): Promise<void> {
  const target = await findTargetRow(tx, name);
  if (target === null || target.state !== 'active') return;
  const entered = deliveries.slice(0, Math.max(0, backlogMax - target.waiting));
  const dropped = deliveries.length - entered.length;
  for (let index = 0; index < entered.length; index += rowsPerInsert) {
    await insert(tx, entered.slice(index, index + rowsPerInsert), nowMs);
  }
  await tx.run('update notification_targets set waiting = waiting + ?, dropped = dropped + ? where name = ?', [
    entered.length,
    dropped,
    name,
  ]);
  if (dropped === 0 || target.dropped > 0) return;
  await noteTarget(tx, name, 'overflowed', { actor: 'holdfast', nowMs }, { waiting: backlogMax });
}

/** Few statements for many rows; their texts are kept prepared, so that there must not be many of them. */
const rowsPerInsert = 20;
const columns = 'target, event_id, resource, type, body, state, attempts, due_at, claimed_until, created_at';
const row = `(?, ?, ?, ?, ?, 'waiting', 0, ?, 0, ?)`;

async function insert(tx: Tx, deliveries: readonly NewDelivery[], nowMs: number): Promise<void> {
  const rows = deliveries.map(() => row).join(', ');
  const values = deliveries.flatMap(({ target, eventId, resource, type, body }) => [
    target,
    eventId,
    resource,
    type,
    body,
    nowMs,
    nowMs,
  ]);
  await tx.run(`insert into notification_deliveries (${columns}) values ${rows}`, values);
}

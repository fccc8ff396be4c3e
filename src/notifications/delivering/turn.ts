import type { Tx } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import type { DeliveryRow } from '../tables.ts';
import { targetResource } from '../target.ts';

/** How far a turn looks for something that may be sent; what waits behind many of one resource is found by a later one. */
const candidatesMax = 256;

export interface Turn {
  readonly target: string;
  readonly owner: string;
  /** What was delivered since the last turn. */
  readonly delivered: readonly number[];
  /** What was claimed, and given up before it ended. */
  readonly released: readonly number[];
  /** How many more can be sent now. */
  readonly limit: number;
  readonly nowMs: number;
  readonly leaseMs: number;
}

export interface Taken {
  readonly rows: readonly DeliveryRow[];
  /** When the next one is due, or its claim has run out; `null` when nothing waits. */
  readonly nextAtMs: number | null;
}

type Candidate = Pick<DeliveryRow, 'id' | 'resource' | 'attempts'>;

/** Claims of those who live; whoever dies with a claim loses it. */
const living = `select id from replicas where replicas.until >`;

/**
 * One turn of a target's deliveries: takes off what was delivered, and claims what is due. Of one resource only the first
 * that was never tried is sent, so that messages come in the order of their events while nothing fails; one that has
 * failed holds up nobody.
 */
export const takeDeliveries = transaction(import.meta.url, 'takeDeliveries', async (tx, turn: Turn): Promise<Taken> => {
  const { target, owner, delivered, released, limit, nowMs, leaseMs } = turn;
  // Two who claim at once would each see the other's as unclaimed.
  await tx.lock(targetResource(target));
  await takeOff(tx, target, owner, delivered);
  for (const id of released) await tx.run(release, [id, owner]);
  const rows: DeliveryRow[] = [];
  if (limit > 0) {
    for (const id of await choose(tx, target, nowMs, limit)) {
      const statement = 'update notification_deliveries set claimed_by = ?, claimed_until = ? where id = ? returning *';
      rows.push(...(await tx.rows<DeliveryRow>(statement, [owner, nowMs + leaseMs, id])));
    }
  }
  return { rows, nextAtMs: await nextAt(tx, target) };
});

const release = `update notification_deliveries set claimed_by = null, claimed_until = 0 where id = ? and claimed_by = ?`;

async function takeOff(tx: Tx, target: string, owner: string, ids: readonly number[]): Promise<void> {
  let count = 0;
  for (const id of ids) {
    count += await tx.run('delete from notification_deliveries where id = ? and claimed_by = ?', [id, owner]);
  }
  if (count > 0) {
    await tx.run('update notification_targets set waiting = waiting - ? where name = ?', [count, target]);
  }
}

async function choose(tx: Tx, target: string, nowMs: number, limit: number): Promise<number[]> {
  const due = `select id, resource, attempts from notification_deliveries
    where target = ? and state = 'waiting' and due_at <= ?
      and (claimed_until <= ? or claimed_by not in (${living} ${tx.fragments.nowMs}))
    order by due_at, id limit ? ${tx.fragments.forUpdateSkipLocked}`;
  const claimed = `select distinct resource from notification_deliveries
    where target = ? and claimed_until > ? and claimed_by in (${living} ${tx.fragments.nowMs})`;
  const candidates = await tx.rows<Candidate>(due, [target, nowMs, nowMs, candidatesMax]);
  if (candidates.length === 0) return [];
  const busy = new Set((await tx.rows<Candidate>(claimed, [target, nowMs])).map(({ resource }) => resource));
  const chosen: number[] = [];
  for (const { id, resource, attempts } of candidates.toSorted((one, other) => one.id - other.id)) {
    if (chosen.length === limit) break;
    if (busy.has(resource)) continue;
    chosen.push(id);
    if (attempts === 0) busy.add(resource);
  }
  return chosen;
}

const next = `select min(case when claimed_until > due_at then claimed_until else due_at end) as at from
  (select claimed_until, due_at from notification_deliveries where target = ? and state = 'waiting'
   order by due_at, id limit ${candidatesMax}) first`;

async function nextAt(tx: Tx, target: string): Promise<number | null> {
  const [row] = await tx.rows<{ at: number | null }>(next, [target]);
  return row?.at ?? null;
}

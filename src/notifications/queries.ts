import type { Reader } from '../kernel/store/store.ts';
import { toSubscription, toTarget } from './rows.ts';
import type { Subscription } from './subscription.ts';
import type { DeliveryRow, SubscriptionRow, TargetRow } from './tables.ts';
import type { Target } from './target.ts';

/** A target's row; `null` when there is none of this name. */
export async function findTargetRow(reader: Reader, name: string): Promise<TargetRow | null> {
  const [row] = await reader.rows<TargetRow>('select * from notification_targets where name = ?', [name]);
  return row ?? null;
}

/** All targets by name; there are few. */
export async function listTargets(reader: Reader): Promise<Target[]> {
  return (await reader.rows<TargetRow>('select * from notification_targets order by name', [])).map(toTarget);
}

/** Rows of the targets that are told anything. */
export async function activeTargetRows(reader: Reader): Promise<TargetRow[]> {
  return reader.rows<TargetRow>(`select * from notification_targets where state = 'active' order by name`, []);
}

/** All subscriptions by name; there are few. */
export async function listSubscriptions(reader: Reader): Promise<Subscription[]> {
  const rows = await reader.rows<SubscriptionRow>('select * from notification_subscriptions order by name', []);
  return rows.map(toSubscription);
}

/** The id of the last event that was looked at for deliveries: those after it are still needed. */
export async function cursorOf(reader: Reader): Promise<number> {
  const [row] = await reader.rows<{ event_id: number }>('select event_id from notification_cursor where id = 1', []);
  return row!.event_id;
}

/** Dead letters of one target, or of all, by target and then oldest first. */
export async function listDeadLetters(
  reader: Reader,
  page: {
    readonly target: string | undefined;
    readonly after: { readonly target: string; readonly id: number };
    readonly limit: number;
  },
): Promise<DeliveryRow[]> {
  const { target, after, limit } = page;
  const statement = `select * from notification_deliveries where state = 'dead' and (target, id) > (?, ?)
    ${target === undefined ? '' : 'and target = ?'} order by target, id limit ?`;
  const values = [after.target, after.id, ...(target === undefined ? [] : [target]), limit];
  return reader.rows<DeliveryRow>(statement, values);
}

import { HoldfastError } from '../../kernel/errors/errors.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import { findTargetRow } from '../queries.ts';
import { subscriptionsMax } from '../subscription.ts';
import type { SubscriptionRow } from '../tables.ts';
import { targetResource } from '../target.ts';
import { type Cause, noteTarget } from './target-events.ts';

export interface AddSubscription extends Cause {
  readonly name: string;
  readonly target: string;
  readonly types: readonly string[];
  readonly resources: readonly string[];
}

/** Enters a subscription. Throws `not_found` without the target, `conflict` for a name that is taken or one too many. */
export const addSubscription = transaction(
  import.meta.url,
  'addSubscription',
  async (tx, { name, target, types, resources, actor, nowMs }: AddSubscription): Promise<SubscriptionRow> => {
    await tx.lock(targetResource(target));
    if ((await findTargetRow(tx, target)) === null) {
      throw new HoldfastError('not_found', `There is no target ${target}.`, { target });
    }
    const count = 'select count(*) as count from notification_subscriptions';
    const [found] = await tx.rows<{ count: number | string }>(count, []);
    if (Number(found!.count) >= subscriptionsMax) {
      throw new HoldfastError('conflict', `There are ${subscriptionsMax} subscriptions, and there can be no more.`);
    }
    const [row] = await tx.rows<SubscriptionRow>(
      `insert into notification_subscriptions (name, target, types, resources, created_at) values (?, ?, ?, ?, ?)
       on conflict (name) do nothing returning *`,
      [name, target, JSON.stringify(types), JSON.stringify(resources), nowMs],
    );
    if (row === undefined) {
      throw new HoldfastError('conflict', `There is a subscription ${name} already.`, { subscription: name });
    }
    await noteTarget(tx, target, 'changed', { actor, nowMs }, { subscribed: name });
    return row;
  },
);

/** Ends a subscription. What it has brought for delivery already is delivered. Throws `not_found`. */
export const removeSubscription = transaction(
  import.meta.url,
  'removeSubscription',
  async (tx, { name, actor, nowMs }: { readonly name: string } & Cause): Promise<void> => {
    const [known] = await tx.rows<SubscriptionRow>('select * from notification_subscriptions where name = ?', [name]);
    const missing = new HoldfastError('not_found', `There is no subscription ${name}.`, { subscription: name });
    if (known === undefined) throw missing;
    await tx.lock(targetResource(known.target));
    const removed = await tx.run('delete from notification_subscriptions where name = ? and target = ?', [
      name,
      known.target,
    ]);
    if (removed === 0) throw missing;
    await noteTarget(tx, known.target, 'changed', { actor, nowMs }, { unsubscribed: name });
  },
);

import { type RestoredSetting, leftOut } from '../../kernel/backups/settings.ts';
import type { Reader } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import { findTargetRow } from '../queries.ts';
import { subscriptionsMax } from '../subscription.ts';
import { targetResource, targetsMax } from '../target.ts';
import type { KeptTarget } from '../target-settings.ts';
import { type Cause, noteTarget } from './target-events.ts';

export interface RestoreTarget extends Cause {
  readonly name: string;
  readonly target: KeptTarget;
  /** `TargetSettings` as JSON. */
  readonly config: string;
  /** `TargetSecrets`, sealed. */
  readonly secrets: string;
}

/** What of a target would be entered: nothing when one of its name is there, since a subscription of it may have ended. */
export async function planTarget(reader: Reader, name: string, target: KeptTarget): Promise<RestoredSetting> {
  const none = { notification_targets: 0, subscriptions: 0 };
  if ((await findTargetRow(reader, name)) !== null) return { counts: none, notes: [] };
  const room = `select (select count(*) from notification_targets) as targets,
    (select count(*) from notification_subscriptions) as subscriptions`;
  const [count] = await reader.rows<{ targets: number | string; subscriptions: number | string }>(room, []);
  const isFull =
    Number(count!.targets) >= targetsMax ||
    Number(count!.subscriptions) + target.subscriptions.length > subscriptionsMax;
  if (isFull) return leftOut(`The target ${name} is left out: there is no room for it and its subscriptions.`);
  const taken = [];
  for (const one of target.subscriptions) {
    const statement = 'select 1 from notification_subscriptions where name = ?';
    if ((await reader.rows(statement, [one.name])).length > 0) taken.push(one.name);
  }
  const subscriptions = target.subscriptions.length - taken.length;
  const notes = taken.map((one) => `The subscription ${one} of the target ${name} is left out: its name is taken.`);
  return { counts: { notification_targets: 1, subscriptions }, notes };
}

/** Enters what {@link planTarget} tells. */
export const restoreTarget = transaction(
  import.meta.url,
  'restoreTarget',
  async (tx, { name, target, config, secrets, actor, nowMs }: RestoreTarget): Promise<RestoredSetting> => {
    await tx.lock(targetResource(name));
    const plan = await planTarget(tx, name, target);
    if (plan.counts['notification_targets'] !== 1) return plan;
    await tx.run(
      `insert into notification_targets (name, kind, config, secrets, state, reason, waiting, dead, dropped, version,
         created_at, updated_at) values (?, ?, ?, ?, ?, ?, 0, 0, 0, 1, ?, ?)`,
      [name, target.kind, config, secrets, target.state, target.reason, target.createdAtMs, nowMs],
    );
    for (const { name: subscription, types, resources, createdAtMs } of target.subscriptions) {
      await tx.run(
        `insert into notification_subscriptions (name, target, types, resources, created_at) values (?, ?, ?, ?, ?)
         on conflict (name) do nothing`,
        [subscription, name, JSON.stringify(types), JSON.stringify(resources), createdAtMs],
      );
    }
    await noteTarget(tx, name, 'added', { actor, nowMs }, { kind: target.kind, restored: true });
    return plan;
  },
);

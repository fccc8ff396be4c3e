import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Tx } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import { findTargetRow } from '../queries.ts';
import type { TargetRow } from '../tables.ts';
import { type TargetKind, type TargetState, targetResource, targetsMax } from '../target.ts';
import { type Cause, noteTarget } from './target-events.ts';

interface Documents {
  /** `TargetSettings` as JSON. */
  readonly config: string;
  /** `TargetSecrets`, sealed. */
  readonly secrets: string;
}

export interface AddTarget extends Documents, Cause {
  readonly name: string;
  readonly kind: TargetKind;
}

/** Enters a target. Throws `conflict` when there is one of this name, and when there are too many. */
export const addTarget = transaction(
  import.meta.url,
  'addTarget',
  async (tx, { name, kind, config, secrets, actor, nowMs }: AddTarget): Promise<TargetRow> => {
    await tx.lock(targetResource(name));
    const [found] = await tx.rows<{ count: number | string }>('select count(*) as count from notification_targets', []);
    if (Number(found!.count) >= targetsMax) {
      throw new HoldfastError('conflict', `There are ${targetsMax} targets, and there can be no more.`);
    }
    if ((await findTargetRow(tx, name)) !== null) {
      throw new HoldfastError('conflict', `There is a target ${name} already.`, { target: name });
    }
    const [row] = await tx.rows<TargetRow>(
      `insert into notification_targets (name, kind, config, secrets, state, waiting, dead, dropped, version, created_at,
         updated_at) values (?, ?, ?, ?, 'active', 0, 0, 0, 1, ?, ?) returning *`,
      [name, kind, config, secrets, nowMs, nowMs],
    );
    await noteTarget(tx, name, 'added', { actor, nowMs }, { kind });
    return row!;
  },
);

export interface ChangeTarget extends Documents, Cause {
  readonly name: string;
  /** The version that was read. */
  readonly version: number;
  readonly state: TargetState;
}

const change = `update notification_targets set config = ?, secrets = ?, state = ?, reason = null, dropped = 0,
  version = version + 1, updated_at = ? where name = ? and version = ? returning *`;

/** Changes a target if nobody changed it since it was read; `null` when somebody did. What waits for a disabled one goes. */
export const changeTarget = transaction(
  import.meta.url,
  'changeTarget',
  async (tx, params: ChangeTarget): Promise<TargetRow | null> => {
    const { name, version, config, secrets, state, actor, nowMs } = params;
    await tx.lock(targetResource(name));
    const before = await findTargetRow(tx, name);
    const [row] = await tx.rows<TargetRow>(change, [config, secrets, state, nowMs, name, version]);
    if (row === undefined) return null;
    const isDisabled = state === 'disabled' && before!.state !== 'disabled';
    await noteTarget(tx, name, isDisabled ? 'disabled' : 'changed', { actor, nowMs }, { state });
    return state === 'disabled' ? forgetDeliveries(tx, name) : row;
  },
);

export interface DisableTarget extends Cause {
  readonly name: string;
  /** The version that was told to be gone. */
  readonly version: number;
  readonly reason: string;
}

/** Disables a target that says it wants no more, unless somebody has changed it meanwhile. */
export const disableTarget = transaction(
  import.meta.url,
  'disableTarget',
  async (tx, { name, version, reason, actor, nowMs }: DisableTarget): Promise<boolean> => {
    await tx.lock(targetResource(name));
    const changed = await tx.run(
      `update notification_targets set state = 'disabled', reason = ?, version = version + 1, updated_at = ?
       where name = ? and version = ? and state = 'active'`,
      [reason, nowMs, name, version],
    );
    if (changed === 0) return false;
    await noteTarget(tx, name, 'disabled', { actor, nowMs }, { state: 'disabled', reason });
    await forgetDeliveries(tx, name);
    return true;
  },
);

/** Removes a target with its subscriptions, and all that was for it. Throws `not_found`. */
export const removeTarget = transaction(
  import.meta.url,
  'removeTarget',
  async (tx, { name, actor, nowMs }: { readonly name: string } & Cause): Promise<void> => {
    await tx.lock(targetResource(name));
    const removed = await tx.run('delete from notification_targets where name = ?', [name]);
    if (removed === 0) throw new HoldfastError('not_found', `There is no target ${name}.`, { target: name });
    await noteTarget(tx, name, 'removed', { actor, nowMs });
  },
);

async function forgetDeliveries(tx: Tx, name: string): Promise<TargetRow> {
  await tx.run('delete from notification_deliveries where target = ?', [name]);
  const statement = 'update notification_targets set waiting = 0, dead = 0, dropped = 0 where name = ? returning *';
  const [row] = await tx.rows<TargetRow>(statement, [name]);
  return row!;
}

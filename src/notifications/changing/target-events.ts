import { appendEvent } from '../../kernel/events/event.ts';
import type { Tx } from '../../kernel/store/store.ts';
import { targetResource } from '../target.ts';

/** Who changes a target, and when. */
export interface Cause {
  readonly actor: string;
  readonly nowMs: number;
}

/** Writes what happened to a target, which is locked in this transaction. */
export async function noteTarget(
  tx: Tx,
  name: string,
  type: 'added' | 'changed' | 'disabled' | 'overflowed' | 'removed',
  { actor, nowMs }: Cause,
  detail: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  await appendEvent(tx, {
    resource: targetResource(name),
    type: `notification_target.${type}`,
    data: { target: name, ...detail },
    operationId: null,
    actor,
    createdAtMs: nowMs,
  });
}

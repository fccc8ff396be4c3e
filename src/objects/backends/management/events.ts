import { appendEvent } from '../../../kernel/events/event.ts';
import type { Tx } from '../../../kernel/store/store.ts';

/** Who changes a backend, and when. */
export interface Doing {
  readonly actor: string;
  readonly nowMs: number;
}

/** Writes what happened to a backend. The caller has changed or locked its row in this transaction. */
export async function noteBackend(
  tx: Tx,
  name: string,
  type: 'added' | 'changed' | 'draining' | 'migrating' | 'active' | 'purging' | 'removed' | 'away' | 'back',
  { actor, nowMs }: Doing,
  detail: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  await appendEvent(tx, {
    resource: `object-backend:${name}`,
    type: `object_backend.${type}`,
    data: { backend: name, ...detail },
    operationId: null,
    actor,
    createdAtMs: nowMs,
  });
}

import { appendEvent } from '../../../kernel/events/event.ts';
import { transaction } from '../../../kernel/store/transaction.ts';
import type { CircuitChange } from '../guarded.ts';
import { lockBackend } from './lock-backend.ts';

export interface NoteCircuit extends CircuitChange {
  /** Whose breaker it is: each process judges by its own calls. */
  readonly gateway: string;
  readonly nowMs: number;
}

/** Writes that a breaker opened or closed; of a backend that is gone there is nothing to tell. */
export const noteCircuit = transaction(
  import.meta.url,
  'noteCircuit',
  async (tx, { backend, lane, change, reason, gateway, nowMs }: NoteCircuit): Promise<void> => {
    if ((await lockBackend(tx, backend)) === null) return;
    await appendEvent(tx, {
      resource: `object-backend:${backend}`,
      type: change === 'opened' ? 'backend.circuit.opened' : 'backend.circuit.closed',
      data: { backend, calls: lane, reason, gateway },
      operationId: null,
      actor: 'gateway',
      createdAtMs: nowMs,
    });
  },
);

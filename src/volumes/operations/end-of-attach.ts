import type { OperationFacts } from '../../kernel/operations/operation.ts';
import { type Call, call, transaction } from '../../kernel/store/transaction.ts';
import type { AttachInput } from '../accepting/attach.ts';
import { changeExport } from '../export-changes.ts';
import { nextState } from '../fsm.ts';
import { findVolume } from '../queries.ts';
import { type Cause, applyTransition } from '../transition.ts';
import { causeOf } from './context.ts';

interface EndOfAttach {
  readonly volumeId: string;
  readonly attachmentId: string;
  readonly exportId: string | null;
  /** `cancelled`: nothing of it is left. `exhaust`: what is left is not known. */
  readonly transition: 'cancelled' | 'exhaust';
  readonly reason: string;
  readonly cause: Cause;
}

/** The end of an attach that did not succeed. */
export function endOfAttach(
  op: Pick<OperationFacts<AttachInput>, 'id' | 'actor' | 'input'>,
  nowMs: number,
  transition: EndOfAttach['transition'],
  reason: string,
): Call {
  const { volumeId, attachmentId, exportId } = op.input;
  const params = { volumeId, attachmentId, exportId, transition, reason, cause: causeOf(op, nowMs) };
  return call(endAttach, params);
}

/** Nothing is changed for a volume that was given back already. */
export const endAttach = transaction(import.meta.url, 'endAttach', async (tx, params: EndOfAttach): Promise<void> => {
  const { volumeId, attachmentId, exportId, transition, reason, cause } = params;
  const volume = await findVolume(tx, volumeId);
  if (volume === null || nextState(volume.state, transition) === null) return;
  const isOver = transition === 'cancelled';
  const attachment = { id: attachmentId, state: isOver ? ('detached' as const) : ('failed' as const) };
  const parts = { transition, reason, attachment };
  if (exportId === null) {
    await applyTransition(tx, { volumeId, cause, ...parts });
    return;
  }
  const state = isOver ? 'removed' : 'failed';
  await tx.call(call(changeExport, { volumeId, exportId, state, reason, cause, transition: parts }));
});

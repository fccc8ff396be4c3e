import type { ErrorData } from '../../kernel/errors/errors.ts';
import type { OperationFacts } from '../../kernel/operations/operation.ts';
import { type Call, call, transaction } from '../../kernel/store/transaction.ts';
import { type Cause, noteOnVolume } from '../transition.ts';
import { causeOf } from './context.ts';

/** The end of an operation that did not change the state: the reason stands on the volume, and an event tells it. */
export function noteFailure(
  facts: OperationFacts<{ readonly volumeId: string; readonly snapshotId?: string }>,
  type: string,
  error: ErrorData | null,
  snapshotState?: 'available' | 'error' | 'deleted',
): Call {
  const { volumeId, snapshotId } = facts.input;
  const snapshot =
    snapshotId === undefined || snapshotState === undefined ? null : { id: snapshotId, state: snapshotState };
  return call(recordFailure, {
    volumeId,
    type,
    reason: error?.message ?? null,
    snapshot,
    cause: causeOf(facts, facts.nowMs),
  });
}

export interface Failure {
  readonly volumeId: string;
  readonly type: string;
  readonly reason: string | null;
  readonly snapshot: { readonly id: string; readonly state: string } | null;
  readonly cause: Cause;
}

export const recordFailure = transaction(import.meta.url, 'recordFailure', async (tx, params: Failure) => {
  const { volumeId, type, reason, snapshot, cause } = params;
  if (reason !== null) await tx.run('update volumes set reason = ? where id = ?', [reason, volumeId]);
  if (snapshot !== null) {
    await tx.run('update snapshots set state = ?, reason = ? where id = ?', [snapshot.state, reason, snapshot.id]);
  }
  await noteOnVolume(tx, { volumeId, type, cause, detail: reason === null ? {} : { reason } });
});

import type { OperationKind } from '../../kernel/operations/operation.ts';
import type { RestoreInput } from '../accepting/restore.ts';
import { dataColumn, seenData } from '../backend-data.ts';
import { type VolumeOperationContext, exhausted, lifecycleStep, moved, plainStep } from './context.ts';

/** Brings an image back from the trash with its snapshots. */
export function restoreVolumeKind(context: VolumeOperationContext): OperationKind<RestoreInput> {
  return {
    name: 'volume.restore',
    run: (op) => {
      const { backend, image } = op.input;
      return op.step(
        'restore image',
        async (attempt) => {
          const facts = await context.backend(backend).restore(attempt, image);
          const size_bytes = String(facts.sizeBytes);
          return { location: facts.location, size_bytes, ...seenData(facts, op.nowMs()) };
        },
        {
          ...lifecycleStep(op, context),
          commit: ({ location, size_bytes, ...seen }, nowMs) =>
            moved(op, nowMs, { transition: 'created', set: { location, size_bytes, ...dataColumn(seen) } }),
        },
      );
    },
    onFailed: exhausted,
    cancel: async (op) => {
      const { backend, image, trashExpiresAtMs } = op.input;
      await op.step(
        'back to the trash',
        (attempt) => context.backend(backend).trash(attempt, image),
        plainStep(context),
      );
      const reason = 'The restore was cancelled.';
      return moved(op, op.nowMs(), { transition: 'cancelled', reason, set: { trash_expires_at: trashExpiresAtMs } });
    },
    onCancelledBeforeStart: (facts) =>
      moved(facts, facts.nowMs, {
        transition: 'cancelled',
        reason: 'The restore was cancelled.',
        set: { trash_expires_at: facts.input.trashExpiresAtMs },
      }),
  };
}

import type { OperationKind } from '../../kernel/operations/operation.ts';
import type { DetachInput } from '../accepting/detach.ts';
import { dataColumn, seenData } from '../backend-data.ts';
import { type VolumeOperationContext, exhausted, lifecycleStep, moved, plainStep } from './context.ts';

/**
 * Removes one attachment, named by id and generation, so that a late detach cannot clear a newer one. A forced one
 * fences every client first and goes on only when none is left.
 */
export function detachVolumeKind(context: VolumeOperationContext): OperationKind<DetachInput> {
  return {
    name: 'volume.detach',
    run: (op) => {
      const { backend, image, attachmentId, generation, force } = op.input;
      return op.step(
        'detach image',
        async (attempt) => {
          const from = context.backend(backend);
          await from.detach(attempt, image, { attachmentId, generation, force });
          // The detach is done; that it cannot be looked at any more does not undo it.
          const facts = from.capabilities.details ? await from.inspect(attempt, image).catch(() => null) : null;
          return { attachment_id: attachmentId, generation, ...seenData(facts, op.nowMs()) };
        },
        {
          ...lifecycleStep(op, context),
          commit: (seen, nowMs) =>
            moved(op, nowMs, {
              transition: 'detached',
              set: dataColumn(seen),
              attachment: { id: attachmentId, state: 'detached' },
            }),
        },
      );
    },
    onFailed: exhausted,
    cancel: async (op) => {
      const { backend, image, attachmentId } = op.input;
      const isStillThere = await op.step(
        'read image',
        async (attempt) => {
          const facts = await context.backend(backend).inspect(attempt, image);
          return facts?.attachment?.attachmentId === attachmentId;
        },
        plainStep(context),
      );
      if (!isStillThere) {
        return moved(op, op.nowMs(), { transition: 'detached', attachment: { id: attachmentId, state: 'detached' } });
      }
      return moved(op, op.nowMs(), {
        transition: 'cancelled',
        reason: 'The detach was cancelled.',
        attachment: { id: attachmentId, state: 'attached' },
      });
    },
    onCancelledBeforeStart: (facts) =>
      moved(facts, facts.nowMs, {
        transition: 'cancelled',
        reason: 'The detach was cancelled.',
        attachment: { id: facts.input.attachmentId, state: 'attached' },
      }),
  };
}

import type { OperationKind } from '../../kernel/operations/operation.ts';
import type { AttachInput } from '../accepting/attach.ts';
import { dataColumn, seenData } from '../backend-data.ts';
import { type VolumeOperationContext, lifecycleStep, moved, plainStep } from './context.ts';

/** Records the attachment in the real system, which refuses when somebody else has the image open. */
export function attachVolumeKind(context: VolumeOperationContext): OperationKind<AttachInput> {
  return {
    name: 'volume.attach',
    run: (op) => {
      const { backend, image, attachmentId, nodeId, generation, mode, device } = op.input;
      const wanted = { attachmentId, nodeId, generation, mode, ...(device === undefined ? {} : { device }) };
      return op.step(
        'attach image',
        async (attempt) => {
          const facts = await context.backend(backend).attach(attempt, image, wanted);
          return { attachment_id: attachmentId, node_id: nodeId, generation, ...seenData(facts, op.nowMs()) };
        },
        {
          ...lifecycleStep(op, context),
          commit: (seen, nowMs) =>
            moved(op, nowMs, {
              transition: 'attached',
              set: dataColumn(seen),
              attachment: { id: attachmentId, state: 'attached' },
            }),
        },
      );
    },
    onFailed: (facts, error) =>
      moved(facts, facts.nowMs, {
        transition: 'exhaust',
        reason: error.message,
        attachment: { id: facts.input.attachmentId, state: 'failed' },
      }),
    cancel: async (op) => {
      const { backend, image, attachmentId, generation } = op.input;
      await op.step(
        'remove attachment',
        (attempt) => context.backend(backend).detach(attempt, image, { attachmentId, generation, force: false }),
        plainStep(context),
      );
      return moved(op, op.nowMs(), {
        transition: 'cancelled',
        reason: 'The attach was cancelled.',
        attachment: { id: attachmentId, state: 'detached' },
      });
    },
    onCancelledBeforeStart: (facts) =>
      moved(facts, facts.nowMs, {
        transition: 'cancelled',
        reason: 'The attach was cancelled.',
        attachment: { id: facts.input.attachmentId, state: 'detached' },
      }),
  };
}

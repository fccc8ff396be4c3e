import { type ErrorData, toErrorData } from '../../kernel/errors/errors.ts';
import type { Attempt, Op, OperationKind } from '../../kernel/operations/operation.ts';
import type { Call } from '../../kernel/store/transaction.ts';
import type { DetachInput } from '../accepting/detach.ts';
import { type SeenData, dataColumn, seenData } from '../backend-data.ts';
import { releaseDevice } from '../devices/release.ts';
import { type VolumeOperationContext, isHostDead, isInUse, lifecycleStep, movedWith, plainStep } from './context.ts';

/**
 * Removes one attachment, named by id and generation, so that a late detach cannot clear a newer one. Its export goes first,
 * before anything beneath it moves. A forced one cuts and fences every client and goes on only when none is left.
 */
export function detachVolumeKind(context: VolumeOperationContext): OperationKind<DetachInput> {
  return {
    name: 'volume.detach',
    run: async (op) => {
      const { exportId, attachmentId, generation } = op.input;
      await op.step('release device', (attempt) => release(attempt, op, context), lifecycleStep(op, context));
      if (exportId !== null) {
        const remove = (attempt: Attempt) => removeExport(attempt, op, context, exportId);
        await op.step('remove export', remove, lifecycleStep(op, context));
      }
      await op.step('detach image', (attempt) => detachImage(attempt, op, context), {
        ...lifecycleStep(op, context),
        commit: (seen, nowMs) => {
          const attachment = { id: attachmentId, state: 'detached' } as const;
          const detached = { transition: 'detached', set: dataColumn(seen), attachment } as const;
          return movedWith(op, nowMs, exportId, { state: 'removed' }, detached);
        },
      });
      return { attachment_id: attachmentId, generation };
    },
    // With a client still at work, or a host that is dead, nothing was changed: the volume is attached as before, and says why.
    onFailed: (facts, error) =>
      isInUse(error) || isHostDead(error)
        ? stillAttached(facts, facts.nowMs, 'refused', error)
        : movedWith(facts, facts.nowMs, facts.input.exportId, { state: 'lost' }, exhaust(error.message)),
    cancel: async (op) => {
      const { backend, image, attachmentId, exportId } = op.input;
      const isStillThere = await op.step(
        'read image',
        async (attempt) => {
          const facts = await context.backend(backend).inspect(attempt, image);
          return facts?.attachment?.attachmentId === attachmentId;
        },
        plainStep(context),
      );
      if (isStillThere) return stillAttached(op, op.nowMs(), 'cancelled', cancelled);
      const detached = { transition: 'detached', attachment: { id: attachmentId, state: 'detached' } } as const;
      return movedWith(op, op.nowMs(), exportId, { state: 'removed' }, detached);
    },
    onCancelledBeforeStart: (facts) => stillAttached(facts, facts.nowMs, 'cancelled', cancelled),
  };
}

type Facts = Pick<Op<DetachInput>, 'id' | 'actor' | 'input'>;

/** Whether the export still stands after a cancel is looked at by the keeper of exports. */
function stillAttached(facts: Facts, nowMs: number, transition: 'cancelled' | 'refused', why: ErrorData): Call {
  const attachment = { id: facts.input.attachmentId, state: 'attached' } as const;
  const state = isInUse(why) ? 'active' : 'lost';
  return movedWith(facts, nowMs, facts.input.exportId, { state }, { transition, reason: why.message, attachment });
}

const cancelled: ErrorData = { kind: 'conflict', message: 'The detach was cancelled.' };

function exhaust(reason: string) {
  return { transition: 'exhaust', reason } as const;
}

/** A forced detach does not wait for a node that may have died. */
async function release(
  attempt: Attempt,
  op: Op<DetachInput>,
  context: VolumeOperationContext,
): Promise<{ readonly is_released: boolean }> {
  if (op.input.force) return { is_released: false };
  return { is_released: await releaseDevice(context.hosts, attempt, op.input) };
}

/**
 * The host of the export may be the one that died. Where the clients of an image can be fenced, it is fenced like any other:
 * whatever it still serves cannot write any more, and its agent removes the export when it is back.
 */
async function removeExport(
  attempt: Attempt,
  op: Op<DetachInput>,
  context: VolumeOperationContext,
  exportId: string,
): Promise<{ readonly is_removed: boolean }> {
  const { backend, force } = op.input;
  try {
    await context.exports.remove(attempt, exportId, force);
    return { is_removed: true };
  } catch (error) {
    const isAway = toErrorData(error).kind === 'unavailable';
    if (force && isAway && context.backend(backend).capabilities.fence) return { is_removed: false };
    throw error;
  }
}

async function detachImage(attempt: Attempt, op: Op<DetachInput>, context: VolumeOperationContext): Promise<SeenData> {
  const { backend: name, image, attachmentId, generation, force, clients } = op.input;
  const backend = context.backend(name);
  // Where nothing can be fenced, the export was the only way in, and it is gone.
  const isFenced = force && backend.capabilities.fence;
  await backend.detach(attempt, image, { attachmentId, generation, force: isFenced, clients });
  // The detach is done; that it cannot be looked at any more does not undo it.
  const facts = backend.capabilities.details ? await backend.inspect(attempt, image).catch(() => null) : null;
  return seenData(facts, op.nowMs());
}

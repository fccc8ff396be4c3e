import type { OperationFacts, OperationKind } from '../../kernel/operations/operation.ts';
import { type Call, call, transaction } from '../../kernel/store/transaction.ts';
import type { DeleteInput, PurgeInput } from '../accepting/delete.ts';
import { type Cause, forgetSnapshots, noteOnVolume } from '../transition.ts';
import { noteFailure } from './note-failure.ts';
import {
  type VolumeOperationContext,
  causeOf,
  exhausted,
  exported,
  lifecycleStep,
  moved,
  plainStep,
} from './context.ts';

/** Moves the image to the trash, or removes it for good when nothing is retained. Absent already is success. */
export function deleteVolumeKind(context: VolumeOperationContext): OperationKind<DeleteInput> {
  return {
    name: 'volume.delete',
    run: async (op) => {
      const { backend: name, image, retentionMs, attachment, exportId } = op.input;
      // An export never outlives its volume; only one in doubt can have one here, and nobody may be using it.
      if (exportId !== null) {
        await op.step('remove export', (attempt) => context.exports.remove(attempt, exportId, true), {
          ...lifecycleStep(op, context),
          commit: (_, nowMs) => exported(op, nowMs, { exportId, state: 'removed' }),
        });
      }
      return op.step(
        retentionMs > 0 ? 'move image to trash' : 'remove image',
        async (attempt) => {
          const backend = context.backend(name);
          // Else a restore would bring back an image that nobody has attached and nobody can attach.
          if (attachment !== null) {
            const { id: attachmentId, generation } = attachment;
            await backend.detach(attempt, image, { attachmentId, generation, force: false });
          }
          const isKept =
            retentionMs > 0 && backend.capabilities.trash && (await backend.inspect(attempt, image)) !== null;
          if (isKept) await backend.trash(attempt, image);
          else await backend.purge(attempt, image);
          return { is_restorable: isKept };
        },
        {
          ...lifecycleStep(op, context),
          commit: ({ is_restorable }, nowMs) =>
            moved(op, nowMs, {
              transition: 'deleted',
              set: is_restorable ? { trash_expires_at: nowMs + retentionMs } : { purged_at: nowMs },
              detail: { is_restorable },
              ...(attachment === null ? {} : { attachment: { id: attachment.id, state: 'detached' as const } }),
            }),
        },
      );
    },
    onFailed: exhausted,
    cancel: async (op) => {
      const { backend, image } = op.input;
      const place = await op.step(
        'bring image back',
        async (attempt) => {
          const facts = await context.backend(backend).inspect(attempt, image);
          if (facts?.place === 'trash') await context.backend(backend).restore(attempt, image);
          return facts === null ? 'absent' : 'live';
        },
        plainStep(context),
      );
      if (place === 'absent') return moved(op, op.nowMs(), { transition: 'deleted', set: { purged_at: op.nowMs() } });
      return cancelled(op, op.nowMs());
    },
    onCancelledBeforeStart: (facts) => cancelled(facts, facts.nowMs),
  };
}

/** A volume that was in doubt before its deletion is in doubt again; any other is as it was. */
function cancelled(op: Pick<OperationFacts<DeleteInput>, 'id' | 'actor' | 'input'>, nowMs: number): Call {
  const transition = op.input.wasInError ? 'lost' : 'cancelled';
  return moved(op, nowMs, { transition, reason: 'The deletion was cancelled.' });
}

/** Removes a deleted volume's image from the trash, for good. */
export function purgeVolumeKind(context: VolumeOperationContext): OperationKind<PurgeInput> {
  return {
    name: 'volume.purge',
    run: async (op) => {
      const { backend, image, volumeId } = op.input;
      await op.step('remove image', (attempt) => context.backend(backend).purge(attempt, image), {
        ...plainStep(context),
        commit: (_, nowMs) => call(markPurged, { volumeId, cause: causeOf(op, nowMs) }),
      });
    },
    onFailed: (facts, error) => noteFailure(facts, 'volume.purge_failed', error),
    onCancelledBeforeStart: (facts) => noteFailure(facts, 'volume.purge_cancelled', null),
  };
}

export const markPurged = transaction(
  import.meta.url,
  'markPurged',
  async (tx, { volumeId, cause }: { readonly volumeId: string; readonly cause: Cause }) => {
    await tx.run('update volumes set trash_expires_at = null, purged_at = ?, reason = null where id = ?', [
      cause.nowMs,
      volumeId,
    ]);
    await forgetSnapshots(tx, volumeId);
    await noteOnVolume(tx, { volumeId, type: 'volume.purged', cause, detail: {} });
  },
);

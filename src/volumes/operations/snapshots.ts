import type { OperationKind } from '../../kernel/operations/operation.ts';
import { call, transaction } from '../../kernel/store/transaction.ts';
import type { SnapshotInput } from '../accepting/snapshots.ts';
import { seenData } from '../backend-data.ts';
import { type Cause, noteOnVolume } from '../transition.ts';
import { type VolumeOperationContext, causeOf, plainStep } from './context.ts';
import { noteFailure } from './note-failure.ts';
import { setVolumeFacts } from './resize.ts';

/** Takes a snapshot. A cancel removes what there is of it. */
export function snapshotVolumeKind(context: VolumeOperationContext): OperationKind<SnapshotInput> {
  return {
    name: 'volume.snapshot',
    run: (op) => {
      const { backend, image, snapshot } = op.input;
      return op.step(
        'create snapshot',
        async (attempt) => {
          const facts = await context.backend(backend).createSnapshot(attempt, image, snapshot);
          return { snapshot_id: op.input.snapshotId, size_bytes: String(facts.sizeBytes) };
        },
        {
          ...plainStep(context),
          commit: ({ size_bytes: sizeBytes }, nowMs) =>
            call(setSnapshot, {
              ...op.input,
              type: 'volume.snapshot_created',
              state: 'available',
              sizeBytes,
              cause: causeOf(op, nowMs),
            }),
        },
      );
    },
    onFailed: (facts, error) => noteFailure(facts, 'volume.snapshot_failed', error, 'error'),
    onCancelledBeforeStart: (facts) => noteFailure(facts, 'volume.snapshot_cancelled', null, 'deleted'),
    cancel: async (op) => {
      const { backend, image, snapshot } = op.input;
      await op.step(
        'remove snapshot',
        (attempt) => context.backend(backend).deleteSnapshot(attempt, image, snapshot),
        plainStep(context),
      );
      const cause = causeOf(op, op.nowMs());
      return call(setSnapshot, {
        ...op.input,
        type: 'volume.snapshot_cancelled',
        state: 'deleted',
        sizeBytes: null,
        cause,
      });
    },
  };
}

/** Removes a snapshot. Absent already is success. */
export function deleteSnapshotKind(context: VolumeOperationContext): OperationKind<SnapshotInput> {
  return {
    name: 'volume.snapshot_delete',
    run: async (op) => {
      const { backend, image, snapshot } = op.input;
      await op.step('remove snapshot', (attempt) => context.backend(backend).deleteSnapshot(attempt, image, snapshot), {
        ...plainStep(context),
        commit: (_, nowMs) =>
          call(setSnapshot, {
            ...op.input,
            type: 'volume.snapshot_deleted',
            state: 'deleted',
            sizeBytes: null,
            cause: causeOf(op, nowMs),
          }),
      });
    },
    onFailed: (facts, error) => noteFailure(facts, 'volume.snapshot_delete_failed', error, 'error'),
    onCancelledBeforeStart: (facts) => noteFailure(facts, 'volume.snapshot_delete_cancelled', null, 'available'),
  };
}

/** Makes the volume what it was at the snapshot, its size included. */
export function revertVolumeKind(context: VolumeOperationContext): OperationKind<SnapshotInput> {
  return {
    name: 'volume.revert',
    run: (op) => {
      const { backend, image, snapshot, volumeId } = op.input;
      return op.step(
        'revert image',
        async (attempt) => {
          const facts = await context.backend(backend).revert(attempt, image, snapshot);
          return { size_bytes: String(facts.sizeBytes), ...seenData(facts, op.nowMs()) };
        },
        {
          ...plainStep(context),
          commit: ({ size_bytes, ...seen }, nowMs) => {
            const [type, cause] = ['volume.reverted', causeOf(op, nowMs)];
            return call(setVolumeFacts, { volumeId, type, set: { size_bytes }, seen, cause });
          },
        },
      );
    },
    onFailed: (facts, error) => noteFailure(facts, 'volume.revert_failed', error),
    onCancelledBeforeStart: (facts) => noteFailure(facts, 'volume.revert_cancelled', null),
  };
}

export interface SnapshotChange {
  readonly volumeId: string;
  readonly snapshotId: string;
  readonly snapshot: string;
  readonly type: string;
  readonly state: 'available' | 'deleted';
  readonly sizeBytes: string | null;
  readonly cause: Cause;
}

export const setSnapshot = transaction(import.meta.url, 'setSnapshot', async (tx, params: SnapshotChange) => {
  const { volumeId, snapshotId, snapshot, type, state, sizeBytes, cause } = params;
  await tx.run('update snapshots set state = ?, reason = null, size_bytes = coalesce(?, size_bytes) where id = ?', [
    state,
    sizeBytes,
    snapshotId,
  ]);
  // What an earlier attempt left as the volume's reason is over.
  await tx.run('update volumes set reason = null where id = ?', [volumeId]);
  await noteOnVolume(tx, { volumeId, type, cause, detail: { snapshot_id: snapshotId, snapshot } });
});

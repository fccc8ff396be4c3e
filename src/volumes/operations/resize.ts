import type { OperationKind } from '../../kernel/operations/operation.ts';
import { call, transaction } from '../../kernel/store/transaction.ts';
import type { QosInput, ResizeInput } from '../accepting/resize.ts';
import { type BackendData, dataColumn, seenData } from '../backend-data.ts';
import { type Cause, noteOnVolume } from '../transition.ts';
import { noteFailure } from './note-failure.ts';
import { type VolumeOperationContext, causeOf, plainStep } from './context.ts';

/** Grows the image, in use or not. */
export function resizeVolumeKind(context: VolumeOperationContext): OperationKind<ResizeInput> {
  return {
    name: 'volume.resize',
    run: (op) => {
      const { backend, image, volumeId, sizeBytes } = op.input;
      return op.step(
        'resize image',
        async (attempt) => {
          const facts = await context.backend(backend).resize(attempt, image, BigInt(sizeBytes));
          return { size_bytes: String(facts.sizeBytes), ...seenData(facts, op.nowMs()) };
        },
        {
          ...plainStep(context),
          commit: ({ size_bytes, ...seen }, nowMs) => {
            const [type, cause] = ['volume.resized', causeOf(op, nowMs)];
            return call(setVolumeFacts, { volumeId, type, set: { size_bytes }, seen, cause });
          },
        },
      );
    },
    onFailed: (facts, error) => noteFailure(facts, 'volume.resize_failed', error),
    onCancelledBeforeStart: (facts) => noteFailure(facts, 'volume.resize_cancelled', null),
  };
}

/** Sets the limits that clients of the image keep. */
export function qosVolumeKind(context: VolumeOperationContext): OperationKind<QosInput> {
  return {
    name: 'volume.qos',
    run: async (op) => {
      const { backend, image, volumeId, qos } = op.input;
      await op.step('set limits', (attempt) => context.backend(backend).setQos(attempt, image, qos), {
        ...plainStep(context),
        commit: (_, nowMs) =>
          call(setVolumeFacts, {
            volumeId,
            type: 'volume.qos_set',
            set: { qos: JSON.stringify(qos) },
            cause: causeOf(op, nowMs),
          }),
      });
    },
    onFailed: (facts, error) => noteFailure(facts, 'volume.qos_failed', error),
    onCancelledBeforeStart: (facts) => noteFailure(facts, 'volume.qos_cancelled', null),
  };
}

export interface VolumeFacts {
  readonly volumeId: string;
  readonly type: string;
  readonly set: Readonly<Partial<Record<'size_bytes' | 'qos', string>>>;
  /** What the backend said with it; kept, and not told as an event. */
  readonly seen?: { readonly backend_data?: BackendData };
  readonly cause: Cause;
}

/** Writes facts of a volume that are not its state. */
export const setVolumeFacts = transaction(import.meta.url, 'setVolumeFacts', async (tx, params: VolumeFacts) => {
  const { volumeId, type, set, seen = {}, cause } = params;
  for (const [column, value] of Object.entries({ ...set, ...dataColumn(seen) })) {
    await tx.run(`update volumes set ${column} = ?, reason = null where id = ?`, [value, volumeId]);
  }
  await noteOnVolume(tx, { volumeId, type, cause, detail: set });
});

import type { Attempt, OperationKind } from '../../kernel/operations/operation.ts';
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
    run: async (op) => {
      const { backend, image, volumeId, sizeBytes, exportId } = op.input;
      // What serves the image has it locked, and only so do its clients learn of the new size.
      if (exportId !== null) {
        await op.step(
          'resize export',
          async (attempt) => ({ size_bytes: await context.exports.resize(attempt, exportId, sizeBytes) }),
          {
            ...plainStep(context),
            // From here on the image is larger, whatever becomes of the rest.
            commit: ({ size_bytes }, nowMs) =>
              call(setVolumeFacts, {
                volumeId,
                type: 'volume.export_resized',
                set: size_bytes === null ? {} : { size_bytes },
                cause: causeOf(op, nowMs),
              }),
          },
        );
      }
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
      const { backend: name, image, volumeId, qos, exportId } = op.input;
      if (exportId !== null) {
        await op.step('limit export', (attempt) => context.exports.setQos(attempt, exportId, qos), plainStep(context));
      }
      const setOnImage = async (attempt: Attempt): Promise<void> => {
        const backend = context.backend(name);
        // Where nothing but the export stands between a client and the bytes, the export alone keeps the limits.
        if (exportId === null || backend.capabilities.qos) await backend.setQos(attempt, image, qos);
      };
      await op.step('set limits', setOnImage, {
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

import type { OperationKind } from '../../kernel/operations/operation.ts';
import type { CreateInput } from '../accepting/create.ts';
import { dataColumn, seenData } from '../backend-data.ts';
import { type VolumeOperationContext, exhausted, lifecycleStep, moved, plainStep } from './context.ts';

/**
 * Makes the image. A repeat finds what an earlier attempt left, by its tag, and completes or adopts it. A cancel removes
 * it and deletes the volume, whose name is free again.
 */
export function createVolumeKind(context: VolumeOperationContext): OperationKind<CreateInput> {
  return {
    name: 'volume.create',
    run: (op) => {
      const { volumeId, name, image, backend, sizeBytes, source, qos, parameters = {} } = op.input;
      const wanted = {
        volumeId,
        name,
        image,
        sizeBytes: BigInt(sizeBytes),
        ...(source === null ? {} : { source }),
        qos,
        parameters,
      };
      return op.step(
        'create image',
        async (attempt) => {
          const facts = await context.backend(backend).create(attempt, wanted);
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
      await op.step(
        'remove image',
        (attempt) => context.backend(op.input.backend).purge(attempt, op.input.image),
        plainStep(context),
      );
      const nowMs = op.nowMs();
      return moved(op, nowMs, {
        transition: 'cancelled',
        reason: 'The creation was cancelled.',
        set: { purged_at: nowMs },
      });
    },
  };
}

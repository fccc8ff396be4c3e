import type { OperationKind } from '../../kernel/operations/operation.ts';
import type { ImportInput } from '../accepting/import.ts';
import { dataColumn, seenData } from '../backend-data.ts';
import { type VolumeOperationContext, exhausted, lifecycleStep, moved } from './context.ts';

/** Puts our tag on an existing image; its content is not touched. */
export function importVolumeKind(context: VolumeOperationContext): OperationKind<ImportInput> {
  return {
    name: 'volume.import',
    run: (op) => {
      const { backend, image, volumeId, name } = op.input;
      return op.step(
        'adopt image',
        async (attempt) => {
          const facts = await context.backend(backend).adopt(attempt, image, { volumeId, name });
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
  };
}

import type { OperationKind } from '../../kernel/operations/operation.ts';
import type { ImportInput } from '../accepting/import.ts';
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
          return { location: facts.location, size_bytes: String(facts.sizeBytes) };
        },
        {
          ...lifecycleStep(op, context),
          commit: ({ location, size_bytes }, nowMs) =>
            moved(op, nowMs, { transition: 'created', set: { location, size_bytes } }),
        },
      );
    },
    onFailed: exhausted,
  };
}

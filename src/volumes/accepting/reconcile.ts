import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Accepted, OperationRequest } from '../../kernel/operations/start.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import { noteOnVolume } from '../transition.ts';
import { accept, requireVolume } from './accepting.ts';

export interface ReconcileInput {
  readonly volumeId: string;
  readonly backend: string;
  readonly image: string;
  readonly name: string;
  readonly sizeBytes: string;
}

/** Accepts making a volume in `error` true again. */
export const acceptReconcile = transaction(
  import.meta.url,
  'acceptReconcile',
  (
    tx,
    { request, volume: reference }: { readonly request: OperationRequest; readonly volume: string },
  ): Promise<Accepted> =>
    accept(tx, request, async (cause) => {
      const volume = await requireVolume(tx, reference);
      if (volume.state !== 'error') {
        const message = `Volume ${volume.name} is ${volume.state}; only a volume in error is reconciled.`;
        throw new HoldfastError('conflict', message, { state: volume.state });
      }
      const { id: volumeId, backend, image, name } = volume;
      await noteOnVolume(tx, { volumeId, type: 'volume.reconcile', cause, detail: {} });
      const input: ReconcileInput = { volumeId, backend, image, name, sizeBytes: String(volume.sizeBytes) };
      return { volumeId, kind: 'volume.reconcile', input };
    }),
);

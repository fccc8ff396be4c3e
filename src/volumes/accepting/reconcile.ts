import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Accepted, OperationRequest } from '../../kernel/operations/start.ts';
import type { Tx } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import type { QosLimits } from '../backends/backend.ts';
import { findSnapshot, findVolume, requireVolume } from '../queries.ts';
import { noteOnVolume } from '../transition.ts';
import type { Volume } from '../volume.ts';
import { accept } from './accepting.ts';

export interface ReconcileInput {
  readonly volumeId: string;
  readonly backend: string;
  readonly image: string;
  readonly name: string;
  readonly sizeBytes: string;
  readonly qos: QosLimits;
  /** Absent in operations of a server before it knew any. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** Where the content of a clone comes from; `gone` when that snapshot no longer exists. */
  readonly source: ImageSource | 'gone' | null;
}

interface ImageSource {
  readonly image: string;
  readonly snapshot: string;
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
      const { id: volumeId, backend, image, name, qos, parameters } = volume;
      const source = await sourceOf(tx, volume);
      await noteOnVolume(tx, { volumeId, type: 'volume.reconcile', cause, detail: {} });
      const sizeBytes = String(volume.sizeBytes);
      const input: ReconcileInput = { volumeId, backend, image, name, sizeBytes, qos, parameters, source };
      return { volumeId, kind: 'volume.reconcile', input };
    }),
);

/** What a volume was made from: an image made anew must have that content again, or not be made. */
async function sourceOf(tx: Tx, { sourceSnapshotId }: Volume): Promise<ReconcileInput['source']> {
  if (sourceSnapshotId === null) return null;
  const snapshot = await findSnapshot(tx, sourceSnapshotId);
  const parent = snapshot?.state === 'available' ? await findVolume(tx, snapshot.volumeId) : null;
  return parent === null ? 'gone' : { image: parent.image, snapshot: snapshot!.name };
}

import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Accepted, OperationRequest } from '../../kernel/operations/start.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import type { QosLimits } from '../backends/backend.ts';
import { findSnapshot, findVolume } from '../queries.ts';
import { accept } from './accepting.ts';
import { type NewVolume, insertVolume } from './insert-volume.ts';

/** What the create operation works on. Sizes are decimal text, since an input is JSON. */
export interface CreateInput {
  readonly volumeId: string;
  readonly name: string;
  readonly image: string;
  readonly backend: string;
  readonly sizeBytes: string;
  readonly source: { readonly image: string; readonly snapshot: string } | null;
  readonly qos: QosLimits;
  /** Absent in operations of a server before it knew any. */
  readonly parameters?: Readonly<Record<string, string>>;
}

export interface AcceptCreate {
  readonly request: OperationRequest;
  readonly volume: Omit<NewVolume, 'sizeBytes' | 'backend'> & {
    /** `null` with a snapshot: its size. */
    readonly sizeBytes: bigint | null;
    /** `null`: the snapshot's, else the server's default. */
    readonly backend: string | null;
  };
  readonly defaultBackend: string;
}

/** Accepts a new volume, empty or with the content of a snapshot. */
export const acceptCreate = transaction(
  import.meta.url,
  'acceptCreate',
  (tx, { request, volume, defaultBackend }: AcceptCreate): Promise<Accepted> =>
    accept(tx, request, async (cause) => {
      const { id: volumeId, name, image, sourceSnapshotId } = volume;
      const snapshot = sourceSnapshotId === null ? null : await findSnapshot(tx, sourceSnapshotId);
      if (sourceSnapshotId !== null && snapshot?.state !== 'available') {
        throw new HoldfastError('not_found', `There is no available snapshot ${sourceSnapshotId}.`, {
          field: 'snapshot_id',
        });
      }
      const parent = snapshot === null ? null : await findVolume(tx, snapshot.volumeId);
      if (parent?.state === 'deleted') {
        const message = `Volume ${parent.name} of that snapshot is in the trash; restore it first.`;
        throw new HoldfastError('conflict', message, { field: 'snapshot_id', volume_id: parent.id });
      }
      const backend = volume.backend ?? parent?.backend ?? defaultBackend;
      if (parent !== null && parent.backend !== backend) {
        const message = `A clone stays on its snapshot's backend (${parent.backend}).`;
        throw new HoldfastError('invalid', message, { field: 'backend', provided_value: backend });
      }
      const sizeBytes = volume.sizeBytes ?? snapshot!.sizeBytes;
      if (snapshot !== null && sizeBytes < snapshot.sizeBytes) {
        throw new HoldfastError('invalid', 'A clone cannot be smaller than its snapshot.', {
          field: 'size_bytes',
          provided_value: String(sizeBytes),
          minimum_value: String(snapshot.sizeBytes),
        });
      }
      await insertVolume(tx, { ...volume, backend, sizeBytes }, cause, {
        backend,
        size_bytes: String(sizeBytes),
        ...(snapshot === null ? {} : { snapshot_id: snapshot.id }),
        ...volume.parameters,
      });
      const source = snapshot === null ? null : { image: parent!.image, snapshot: snapshot.name };
      const input: CreateInput = {
        volumeId,
        name,
        image,
        backend,
        sizeBytes: String(sizeBytes),
        source,
        qos: volume.qos,
        parameters: volume.parameters,
      };
      return { volumeId, kind: 'volume.create', input };
    }),
);

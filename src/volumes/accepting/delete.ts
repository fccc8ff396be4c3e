import type { Accepted, OperationRequest } from '../../kernel/operations/start.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { applyTransition } from '../transition.ts';
import { accept, acceptedBefore, requireVolume } from './accepting.ts';

export interface DeleteInput {
  readonly volumeId: string;
  readonly backend: string;
  readonly image: string;
  /** How long the image stays restorable; 0: it is removed at once. */
  readonly retentionMs: number;
}

export interface AcceptDelete {
  readonly request: OperationRequest;
  readonly volume: string;
  readonly retentionMs: number;
}

/** Accepts the deletion of a volume that is not in use. One that is deleted already is answered by what deleted it. */
export const acceptDelete = transaction(
  import.meta.url,
  'acceptDelete',
  (tx, { request, volume: reference, retentionMs }: AcceptDelete): Promise<Accepted> =>
    accept(tx, request, async (cause) => {
      const volume = await requireVolume(tx, reference);
      if (volume.state === 'deleted' && volume.lastOperationId !== null) {
        const before = await acceptedBefore(tx, volume.lastOperationId);
        if (before !== null) return before;
      }
      const { id: volumeId, backend, image } = volume;
      await applyTransition(tx, { volumeId, transition: 'delete', cause, detail: { retention_ms: retentionMs } });
      const input: DeleteInput = { volumeId, backend, image, retentionMs };
      return { volumeId, kind: 'volume.delete', input };
    }),
);

export interface PurgeInput {
  readonly volumeId: string;
  readonly backend: string;
  readonly image: string;
}

/** Accepts the removal of a deleted volume's image for good. */
export const acceptPurge = transaction(
  import.meta.url,
  'acceptPurge',
  (
    tx,
    { request, volume: reference }: { readonly request: OperationRequest; readonly volume: string },
  ): Promise<Accepted> =>
    accept(tx, request, async () => {
      const volume = await requireVolume(tx, reference);
      if (volume.trashExpiresAtMs === null)
        throw new HoldfastError('conflict', `Volume ${volume.name} is not in the trash.`);
      const { id: volumeId, backend, image } = volume;
      const input: PurgeInput = { volumeId, backend, image };
      return { volumeId, kind: 'volume.purge', input };
    }),
);

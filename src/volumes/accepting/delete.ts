import type { Accepted, OperationRequest } from '../../kernel/operations/start.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Tx } from '../../kernel/store/store.ts';
import { applyTransition, noteOnVolume } from '../transition.ts';
import { volumeResource } from '../volume.ts';
import { openAttachment } from './attach.ts';
import { requireVolume } from '../queries.ts';
import { accept, acceptedBefore } from './accepting.ts';
import { removingExport } from './detach.ts';

export interface DeleteInput {
  readonly volumeId: string;
  readonly backend: string;
  readonly image: string;
  /** How long the image stays restorable; 0: it is removed at once. */
  readonly retentionMs: number;
  /** Whether the volume was in `error` before, where a cancel puts it back. */
  readonly wasInError: boolean;
  /** What a volume in `error` may still have on record in the real system. */
  readonly attachment: { readonly id: string; readonly generation: number } | null;
  /** What such a volume may still be exported as. */
  readonly exportId: string | null;
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
      const open = await openAttachment(tx, volumeId);
      const attachment = open === null ? null : { id: open.id, generation: open.generation };
      const wasInError = volume.state === 'error';
      const exportId = await removingExport(tx, volumeId);
      const input: DeleteInput = { volumeId, backend, image, retentionMs, wasInError, attachment, exportId };
      return { volumeId, kind: 'volume.delete', input };
    }),
);

export interface PurgeInput {
  readonly volumeId: string;
  readonly backend: string;
  readonly image: string;
}

/** Accepts the removal of a deleted volume's image for good. One that is under way is the answer to a further wish. */
export const acceptPurge = transaction(
  import.meta.url,
  'acceptPurge',
  (
    tx,
    { request, volume: reference }: { readonly request: OperationRequest; readonly volume: string },
  ): Promise<Accepted> =>
    accept(tx, request, async (cause) => {
      const { id } = await requireVolume(tx, reference);
      const underWay = await purgeUnderWay(tx, id);
      if (underWay !== null) return underWay;
      // It takes the volume's row, so that a restore comes wholly before or wholly after; what it left is read then.
      await noteOnVolume(tx, { volumeId: id, type: 'volume.purge', cause, detail: {} });
      const volume = await requireVolume(tx, id);
      if (volume.trashExpiresAtMs === null)
        throw new HoldfastError('conflict', `Volume ${volume.name} is not in the trash.`);
      const { id: volumeId, backend, image } = volume;
      const input: PurgeInput = { volumeId, backend, image };
      return { volumeId, kind: 'volume.purge', input };
    }),
);

/** The purge that is at work on a volume or waits for its turn. */
export async function purgeUnderWay(tx: Tx, volumeId: string): Promise<Accepted | null> {
  const [row] = await tx.rows<{ id: string }>(
    `select id from operations where resource = ? and kind = 'volume.purge' and status in ('pending', 'executing') limit 1`,
    [volumeResource(volumeId)],
  );
  return row === undefined ? null : acceptedBefore(tx, row.id);
}

import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Accepted, OperationRequest } from '../../kernel/operations/start.ts';
import type { Tx } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import { openExport } from '../export-queries.ts';
import { volumeDb } from '../tables.ts';
import { applyTransition } from '../transition.ts';
import { requireVolume } from '../queries.ts';
import { accept, acceptedBefore } from './accepting.ts';
import { openAttachment } from './attach.ts';

export interface DetachInput {
  readonly volumeId: string;
  readonly backend: string;
  readonly image: string;
  readonly attachmentId: string;
  readonly nodeId: string;
  readonly generation: number;
  readonly force: boolean;
  /** The export that goes before anything beneath it does. */
  readonly exportId: string | null;
  /** Addresses of clients that were seen since the attach. */
  readonly clients: readonly string[];
}

export interface AcceptDetach {
  readonly request: OperationRequest;
  readonly volume: string;
  /** `null`: whichever there is. */
  readonly attachmentId: string | null;
  readonly force: boolean;
}

/**
 * Accepts a detach of one attachment. A late one, that names an attachment which is over, is answered by the
 * detach that ended it and never touches a newer one.
 */
export const acceptDetach = transaction(
  import.meta.url,
  'acceptDetach',
  (tx, params: AcceptDetach): Promise<Accepted> =>
    accept(tx, params.request, async (cause) => {
      const volume = await requireVolume(tx, params.volume);
      const open = await openAttachment(tx, volume.id);
      if (params.attachmentId !== null && params.attachmentId !== open?.id) {
        const past = await volumeDb(tx)
          .selectFrom('attachments')
          .select(['detach_operation_id'])
          .where('id', '=', params.attachmentId)
          .where('volume_id', '=', volume.id)
          .executeTakeFirst();
        const before = past?.detach_operation_id ? await acceptedBefore(tx, past.detach_operation_id) : null;
        if (before !== null) return before;
        const message = `Volume ${volume.name} has no attachment ${params.attachmentId}.`;
        throw new HoldfastError('conflict', message, { field: 'attachment_id', attachment_id: open?.id ?? null });
      }
      if (open === null) {
        throw new HoldfastError('conflict', `Volume ${volume.name} is ${volume.state}, it is not attached.`, {
          state: volume.state,
        });
      }
      const attachment = { id: open.id, state: 'detaching' as const, detachOperationId: params.request.operationId };
      const detail = { node_id: open.nodeId, attachment_id: open.id, force: params.force };
      await applyTransition(tx, { volumeId: volume.id, transition: 'detach', cause, attachment, detail });
      const { id: volumeId, backend, image } = volume;
      const { id: attachmentId, nodeId, generation } = open;
      const exportId = await removingExport(tx, volume.id);
      const { force } = params;
      const { clients } = open;
      const input: DetachInput = {
        volumeId,
        backend,
        image,
        attachmentId,
        nodeId,
        generation,
        force,
        exportId,
        clients,
      };
      return { volumeId, kind: 'volume.detach', input };
    }),
);

/** Says of a volume's export, if it has one, that it goes; gives its id. */
export async function removingExport(tx: Tx, volumeId: string): Promise<string | null> {
  const found = await openExport(tx, volumeId);
  if (found === null) return null;
  await tx.run(`update exports set state = 'removing' where id = ?`, [found.id]);
  return found.id;
}

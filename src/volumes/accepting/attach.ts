import { isDeepStrictEqual } from 'node:util';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Accepted, OperationRequest } from '../../kernel/operations/start.ts';
import type { Tx } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import type { AttachMode } from '../backends/backend.ts';
import type { ExportWish, VolumeExport } from '../export.ts';
import { insertExport } from '../export-changes.ts';
import { openExport } from '../export-queries.ts';
import { nextState } from '../fsm.ts';
import { toAttachment } from '../rows.ts';
import { type AttachmentTable, volumeDb } from '../tables.ts';
import { applyTransition } from '../transition.ts';
import type { Attachment, Volume } from '../volume.ts';
import { requireVolume } from '../queries.ts';
import { accept, acceptedBefore } from './accepting.ts';

export interface AttachInput {
  readonly volumeId: string;
  readonly backend: string;
  readonly image: string;
  readonly attachmentId: string;
  readonly nodeId: string;
  readonly generation: number;
  readonly mode: AttachMode;
  /** The export through which the node reaches it; `null`: it needs none. */
  readonly exportId: string | null;
  readonly device?: 'root';
  /** What may still be exported of an attachment that is over; it goes first. */
  readonly staleExportId: string | null;
}

export interface AcceptAttach {
  readonly request: OperationRequest;
  readonly volume: string;
  readonly attachmentId: string;
  readonly nodeId: string;
  /** A virtual machine, where the volume is for one. */
  readonly vmId: string | null;
  readonly mode: AttachMode;
  readonly wish: ExportWish | null;
  readonly device?: 'root';
}

/**
 * Accepts an attach. The state decides before anything is written, so a refused request changes nothing. The
 * same wish again, for a node that has the volume or is getting it, is answered by the operation that fulfils it.
 */
export const acceptAttach = transaction(
  import.meta.url,
  'acceptAttach',
  (tx, params: AcceptAttach): Promise<Accepted> =>
    accept(tx, params.request, async (cause) => {
      const volume = await requireVolume(tx, params.volume);
      const open = await openAttachment(tx, volume.id);
      if (open !== null) {
        const isSameUse = open.mode === params.mode && open.device === (params.device ?? null);
        const isSameWish = open.nodeId === params.nodeId && isSameUse;
        const isHeld = volume.state === 'attached' || volume.state.startsWith('attaching');
        const before = isSameWish && isHeld ? await acceptedBefore(tx, open.attachOperationId) : null;
        if (before !== null && (await isExportedSo(tx, volume, params.wish))) return before;
      }
      if (nextState(volume.state, 'attach') === null) throw refusal(volume.name, volume.state, open);
      const { attachmentId, nodeId, vmId, mode, wish } = params;
      const generation = volume.generation + 1;
      await volumeDb(tx)
        .insertInto('attachments')
        .values({
          id: attachmentId,
          volume_id: volume.id,
          node_id: nodeId,
          vm_id: vmId,
          clients: null,
          mode,
          generation,
          state: 'attaching',
          attach_operation_id: params.request.operationId,
          detach_operation_id: null,
          created_at: cause.nowMs,
          detached_at: null,
          device: params.device ?? null,
        })
        .execute();
      await tx.run('update volumes set generation = ? where id = ?', [generation, volume.id]);
      const device = params.device === undefined ? {} : { device: params.device };
      const detail = { node_id: nodeId, attachment_id: attachmentId, generation, mode, ...device };
      await applyTransition(tx, { volumeId: volume.id, transition: 'attach', cause, detail });
      const { id: volumeId, backend, image } = volume;
      const staleExportId = await forgetStale(tx, volumeId, cause.nowMs);
      if (wish !== null) await insertExport(tx, { volumeId, attachmentId, generation, mode }, wish, cause.nowMs);
      const exportId = wish?.id ?? null;
      const place = { attachmentId, nodeId, generation, mode, ...device };
      const input: AttachInput = { volumeId, backend, image, ...place, exportId, staleExportId };
      return { volumeId, kind: 'volume.attach', input };
    }),
);

/** Whether a volume that is attached is exported as the wish says; throws `conflict` with what to do when it is not. */
async function isExportedSo(tx: Tx, { id, name, state }: Volume, wish: ExportWish | null): Promise<true> {
  const standing = wish === null ? null : await openExport(tx, id);
  if (wish === null || (standing !== null && isSameExport(standing, wish))) return true;
  const how = standing === null ? 'without an export' : `with another export, ${standing.id}`;
  const message = `Volume ${name} is ${state} ${how}; make the export by its own request, or detach the volume first.`;
  throw new HoldfastError('conflict', message, { state, export_id: standing?.id ?? null });
}

function isSameExport(standing: VolumeExport, wish: ExportWish): boolean {
  const isSameDoor = standing.transport === wish.transport && standing.host === wish.host;
  const hasSameKeys = (standing.sealedSecret === null) === (wish.sealedSecret === null);
  return isSameDoor && hasSameKeys && isDeepStrictEqual(standing.allowedHosts, wish.allowedHosts);
}

/** On record it ends here, so that a new one can be entered; the attach removes it from its host before anything else. */
async function forgetStale(tx: Tx, volumeId: string, nowMs: number): Promise<string | null> {
  const stale = await openExport(tx, volumeId);
  if (stale === null) return null;
  await tx.run(`update exports set state = 'removed', removed_at = ?, secret = null where id = ?`, [nowMs, stale.id]);
  return stale.id;
}

/** The attachment that holds a volume, or is about to. */
export async function openAttachment(tx: Tx, volumeId: string): Promise<Attachment | null> {
  const statement = `select * from attachments where volume_id = ? and state <> 'detached' order by generation desc limit 1`;
  const [row] = await tx.rows<AttachmentTable>(statement, [volumeId]);
  return row === undefined ? null : toAttachment(row);
}

function refusal(name: string, state: string, open: Attachment | null): HoldfastError {
  const where = open === null ? '' : ` at node ${open.nodeId}`;
  return new HoldfastError('conflict', `Volume ${name} is ${state}${where} and cannot be attached now.`, {
    state,
    ...(open === null ? {} : { node_id: open.nodeId, attachment_id: open.id }),
  });
}

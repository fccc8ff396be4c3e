import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Accepted, OperationRequest } from '../../kernel/operations/start.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import type { ExportWish } from '../export.ts';
import { insertExport } from '../export-changes.ts';
import { findExport, openExport } from '../export-queries.ts';
import { noteOnVolume } from '../transition.ts';
import { volumeResource } from '../volume.ts';
import { requireVolume } from '../queries.ts';
import { accept, acceptedBefore } from './accepting.ts';
import { openAttachment } from './attach.ts';
import { requireSteady } from './resize.ts';

export interface ExportInput {
  readonly volumeId: string;
  readonly exportId: string;
}

/** Accepts an export of an attached volume; it belongs to the attachment and ends with it. */
export const acceptExport = transaction(
  import.meta.url,
  'acceptExport',
  (
    tx,
    params: { readonly request: OperationRequest; readonly volume: string; readonly wish: ExportWish },
  ): Promise<Accepted> =>
    accept(tx, params.request, async (cause) => {
      const volume = await requireVolume(tx, params.volume);
      requireSteady(volume, 'exported', ['attached']);
      const { id: volumeId, name } = volume;
      const standing = await openExport(tx, volumeId);
      if (standing !== null) {
        const message = `Volume ${name} is exported already, over ${standing.transport} by host ${standing.host}.`;
        throw new HoldfastError('conflict', message, { export_id: standing.id, export_state: standing.state });
      }
      const { id: attachmentId, generation, mode } = (await openAttachment(tx, volumeId))!;
      await insertExport(tx, { volumeId, attachmentId, generation, mode }, params.wish, cause.nowMs);
      const { id: exportId, transport, host } = params.wish;
      const detail = { export_id: exportId, transport, host };
      await noteOnVolume(tx, { volumeId, type: 'volume.export', cause, detail });
      const input: ExportInput = { volumeId, exportId };
      return { volumeId, kind: 'volume.export', input };
    }),
);

export interface UnexportInput extends ExportInput {
  readonly force: boolean;
}

/** Accepts the removal of an export; one that is removed already is answered by nothing more to do. */
export const acceptUnexport = transaction(
  import.meta.url,
  'acceptUnexport',
  (
    tx,
    params: {
      readonly request: OperationRequest;
      readonly volume: string;
      readonly exportId: string;
      readonly force: boolean;
    },
  ): Promise<Accepted> =>
    accept(tx, params.request, async (cause) => {
      const { exportId, force } = params;
      const { id: volumeId, name } = await requireVolume(tx, params.volume);
      const found = await findExport(tx, exportId);
      if (found === null || found.volumeId !== volumeId) {
        throw new HoldfastError('not_found', `Volume ${name} has no export ${exportId}.`, { field: 'export' });
      }
      if (found.state !== 'removed') await tx.run(`update exports set state = 'removing' where id = ?`, [exportId]);
      await noteOnVolume(tx, { volumeId, type: 'volume.unexport', cause, detail: { export_id: exportId, force } });
      const input: UnexportInput = { volumeId, exportId, force };
      return { volumeId, kind: 'volume.unexport', input };
    }),
);

export interface RepairInput extends ExportInput {
  /** Why, in a sentence. */
  readonly reason: string;
}

/** Accepts to make an export again that is gone from its host. One repair at a time of a volume. */
export const acceptExportRepair = transaction(
  import.meta.url,
  'acceptExportRepair',
  (
    tx,
    params: { readonly request: OperationRequest; readonly exportId: string; readonly reason: string },
  ): Promise<Accepted> =>
    accept(tx, params.request, async (cause) => {
      const { exportId, reason } = params;
      const found = await findExport(tx, exportId);
      if (found === null) throw new HoldfastError('not_found', `There is no export ${exportId}.`);
      const { volumeId } = found;
      const [underWay] = await tx.rows<{ id: string }>(
        `select id from operations where resource = ? and status in ('pending', 'executing') order by ticket limit 1`,
        [volumeResource(volumeId)],
      );
      // What is at work on the volume may be about to remove it; the next look tells.
      const before = underWay === undefined ? null : await acceptedBefore(tx, underWay.id);
      if (before !== null) return before;
      const volume = await requireVolume(tx, volumeId);
      requireSteady(volume, 'exported again', ['attached']);
      const owner = await openAttachment(tx, volumeId);
      if (owner?.id !== found.attachmentId || found.state === 'removed') {
        throw new HoldfastError('conflict', `The attachment of export ${exportId} is over.`);
      }
      await tx.run(`update exports set state = 'lost', reason = ? where id = ?`, [reason, exportId]);
      const detail = { export_id: exportId, reason };
      await noteOnVolume(tx, { volumeId, type: 'volume.export_lost', cause, detail });
      const input: RepairInput = { volumeId, exportId, reason };
      return { volumeId, kind: 'volume.export_repair', input };
    }),
);

import type { Tx } from '../kernel/store/store.ts';
import { transaction } from '../kernel/store/transaction.ts';
import type { AttachMode } from './backends/backend.ts';
import type { ExportState, ExportWish } from './export.ts';
import { findExport } from './export-queries.ts';
import type { ExportConnection } from './exports/target.ts';
import { type Cause, type TransitionParams, applyTransition, noteOnVolume } from './transition.ts';

/** The attachment that an export belongs to. */
export interface ExportOwner {
  readonly volumeId: string;
  readonly attachmentId: string;
  readonly generation: number;
  readonly mode: AttachMode;
}

/** Enters an export before it is made, in the transaction that accepts it. */
export async function insertExport(tx: Tx, owner: ExportOwner, wish: ExportWish, nowMs: number): Promise<void> {
  const { volumeId, attachmentId, generation, mode } = owner;
  const { id, host, transport, allowedHosts, sealedSecret } = wish;
  await tx.run(
    `insert into exports
       (id, volume_id, attachment_id, generation, host, transport, mode, allowed_hosts, secret, state, created_at)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?)`,
    [id, volumeId, attachmentId, generation, host, transport, mode, JSON.stringify(allowedHosts), sealedSecret, nowMs],
  );
}

export interface ExportChange {
  readonly volumeId: string;
  readonly exportId: string;
  readonly state: ExportState;
  readonly reason?: string | null;
  readonly connection?: ExportConnection;
  /** Addresses of the clients that have the image open now, ours that serve the export among them. */
  readonly clients?: readonly string[];
  readonly cause: Cause;
  /** The event that tells it, in place of `volume.export_…`, where the change is the end of an operation that failed. */
  readonly failure?: string;
  /** The volume's own transition, where the change is a part of one; else the event `volume.export_…` tells it. */
  readonly transition?: Omit<TransitionParams, 'volumeId' | 'cause'>;
}

/** A change of an export with all that follows from it, in one transaction. */
export const changeExport = transaction(
  import.meta.url,
  'changeExport',
  async (tx, change: ExportChange): Promise<void> => {
    const { volumeId, exportId, state, cause, transition, failure } = change;
    const connection = change.connection === undefined ? {} : await addressDetail(tx, exportId, change.connection);
    await setExport(tx, change);
    const reason = change.reason == null ? {} : { reason: change.reason };
    const detail = { export_id: exportId, export_state: state, ...connection, ...reason };
    if (transition === undefined) {
      await setReason(tx, volumeId, failure === undefined ? null : (change.reason ?? null));
      await noteOnVolume(tx, { volumeId, type: failure ?? `volume.export_${state}`, cause, detail });
      return;
    }
    const parts = { ...transition, detail: { ...detail, ...transition.detail } };
    await applyTransition(tx, { volumeId, cause, ...parts });
  },
);

/** Where clients find it now, and where they found it before when that was elsewhere. */
async function addressDetail(tx: Tx, exportId: string, { uri }: ExportConnection) {
  const previous = (await findExport(tx, exportId))?.connection ?? null;
  return previous === null || previous.uri === uri ? { uri } : { uri, previous_uri: previous.uri };
}

/** A volume whose state itself needs a reason keeps that one. */
async function setReason(tx: Tx, volumeId: string, reason: string | null): Promise<void> {
  const statement = `update volumes set reason = ? where id = ? and state in ('available', 'attached')`;
  await tx.run(statement, [reason, volumeId]);
}

async function setExport(tx: Tx, { exportId, state, reason, connection, clients, cause }: ExportChange): Promise<void> {
  const removedAt = state === 'removed' ? cause.nowMs : null;
  await tx.run(
    `update exports set state = ?, reason = ?, connection = coalesce(?, connection), removed_at = ?,
       secret = case when ? = 'removed' then null else secret end where id = ? and state <> 'removed'`,
    [state, reason ?? null, connection === undefined ? null : JSON.stringify(connection), removedAt, state, exportId],
  );
  if (clients === undefined || clients.length === 0) return;
  await tx.run('update attachments set clients = ? where id = (select attachment_id from exports where id = ?)', [
    JSON.stringify(clients),
    exportId,
  ]);
}

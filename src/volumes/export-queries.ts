import type { Reader } from '../kernel/store/store.ts';
import type { AttachMode } from './backends/backend.ts';
import type { ExportState, VolumeExport } from './export.ts';
import type { WantedExport } from './judge-exports.ts';
import type { AttachmentState } from './volume.ts';
import type { ExportConnection, ExportKind } from './exports/target.ts';

export interface ExportRow {
  readonly id: string;
  readonly volume_id: string;
  readonly attachment_id: string;
  readonly generation: number;
  readonly host: string;
  readonly transport: string;
  readonly mode: string;
  readonly allowed_hosts: string;
  readonly secret: string | null;
  readonly state: string;
  readonly reason: string | null;
  readonly connection: string | null;
  readonly created_at: number;
  readonly removed_at: number | null;
}

const exportsMax = 10_000;

/** The export of a volume that is not removed; a volume has one at most. */
export async function openExport(reader: Reader, volumeId: string): Promise<VolumeExport | null> {
  const statement = `select * from exports where volume_id = ? and state <> 'removed'`;
  const [row] = await reader.rows<ExportRow>(statement, [volumeId]);
  return row === undefined ? null : toExport(row);
}

export async function findExport(reader: Reader, exportId: string): Promise<VolumeExport | null> {
  const [row] = await reader.rows<ExportRow>('select * from exports where id = ?', [exportId]);
  return row === undefined ? null : toExport(row);
}

/** Addresses of the clients that had the image open when its export was made. */
export async function recordedClients(reader: Reader, attachmentId: string): Promise<readonly string[]> {
  const statement = 'select clients from attachments where id = ?';
  const [row] = await reader.rows<{ clients: string | null }>(statement, [attachmentId]);
  return row?.clients == null ? [] : (JSON.parse(row.clients) as string[]);
}

/** The exports of a host that are not removed, with the states of their attachments. */
export async function wantedExports(reader: Reader, host: string): Promise<WantedExport[]> {
  const statement = `select e.*, a.state as attachment_state from exports e left join attachments a on a.id = e.attachment_id
    where e.host = ? and e.state <> 'removed' order by e.id limit ?`;
  const rows = await reader.rows<ExportRow & { attachment_state: string | null }>(statement, [host, exportsMax]);
  return rows.map((row) => ({
    ...toExport(row),
    attachmentState: (row.attachment_state ?? 'detached') as AttachmentState,
  }));
}

/** The exports of a host over one transport that are not removed. */
export async function standingExports(
  reader: Reader,
  host: string,
  transport: ExportKind,
): Promise<readonly VolumeExport[]> {
  const statement = `select * from exports where host = ? and transport = ? and state <> 'removed' order by id limit ?`;
  return (await reader.rows<ExportRow>(statement, [host, transport, exportsMax])).map(toExport);
}

function toExport(row: ExportRow): VolumeExport {
  return {
    id: row.id,
    volumeId: row.volume_id,
    attachmentId: row.attachment_id,
    generation: row.generation,
    host: row.host,
    transport: row.transport as ExportKind,
    mode: row.mode as AttachMode,
    allowedHosts: JSON.parse(row.allowed_hosts) as string[],
    sealedSecret: row.secret,
    state: row.state as ExportState,
    reason: row.reason,
    connection: row.connection === null ? null : (JSON.parse(row.connection) as ExportConnection),
    createdAtMs: row.created_at,
    removedAtMs: row.removed_at,
  };
}

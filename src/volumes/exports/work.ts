import type { ExportConnection, ExportKind, ExportQos, ExportSource, LiveExport } from './target.ts';

// What a server and an agent say of exports, as JSON: sizes are decimal text.

/** `export.add`; the secret beside it is an `ExportSecret` as JSON. */
export interface AddExportWork {
  readonly transport: ExportKind;
  readonly exportId: string;
  readonly volumeId: string;
  readonly generation: number;
  readonly source: ExportSource;
  readonly readOnly: boolean;
  readonly qos: ExportQos;
  readonly allowedHosts: readonly string[];
  /** Where it listened before. */
  readonly preferredPort?: number;
}

/** `export.remove` */
export interface RemoveExportWork {
  readonly transport: ExportKind;
  readonly exportId: string;
  readonly force: boolean;
}

/** `export.resize`. With all that makes the export, since one that ended in the middle is made again first. */
export interface ResizeExportWork extends AddExportWork {
  readonly sizeBytes: string;
}

/** An export as an agent tells of it. */
export interface ReportedExport {
  readonly transport: ExportKind;
  readonly exportId: string;
  readonly volumeId: string;
  readonly generation: number;
  readonly sizeBytes: string;
  readonly isStale: boolean;
  readonly isClosing: boolean;
  readonly connection: ExportConnection;
}

/** The section `exports` of a host's reports. `null`: what exports cannot be asked now, which says nothing of the exports. */
export type ExportsReport = Readonly<Partial<Record<ExportKind, readonly ReportedExport[] | null>>>;

export function toReported(transport: ExportKind, live: LiveExport): ReportedExport {
  const { exportId, volumeId, generation, sizeBytes, isStale, isClosing, connection } = live;
  return { transport, exportId, volumeId, generation, sizeBytes: String(sizeBytes), isStale, isClosing, connection };
}

/** The section `export-losses` of a host's reports: grows whenever something that exported has ended by itself. */
export interface ExportLossReport {
  readonly count: number;
  readonly reason: string;
}

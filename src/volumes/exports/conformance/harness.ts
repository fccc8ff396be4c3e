import type { ExportSource, ExportTarget, LiveExport } from '../target.ts';

/** What an adapter brings to the conformance suite: itself, images, and clients of its own protocol. */
export interface ExportHarness {
  readonly target: ExportTarget;
  /** Whom its clients say that they are; empty where the target knows no hosts. */
  readonly allowedHosts: readonly string[];
  /** A new empty image of this size. */
  newImage(sizeBytes: bigint): Promise<ExportSource>;
  /** The size that a client sees. */
  sizeSeen(live: LiveExport): Promise<bigint>;
  /** Writes 64 KiB of this byte at the offset, flushed, by a client of the export. Rejects when that fails. */
  write(live: LiveExport, byte: number, offset: number): Promise<void>;
  /** Whether a client reads 64 KiB of this byte at the offset. Rejects when it cannot connect. */
  reads(live: LiveExport, byte: number, offset: number): Promise<boolean>;
  /** A client that stays connected. */
  connect(live: LiveExport): Promise<ConnectedClient>;
  teardown(): Promise<void>;
}

export interface ConnectedClient {
  /** Whether a write of 64 KiB at the offset, flushed, succeeds over this connection. */
  canWrite(byte: number, offset: number): Promise<boolean>;
  disconnect(): Promise<void>;
}

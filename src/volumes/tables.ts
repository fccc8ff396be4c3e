import type { Kysely } from 'kysely';
import type { Reader } from '../kernel/store/store.ts';
import type { KernelTables } from '../kernel/store/tables.ts';

export interface VolumeTables {
  volumes: VolumeTable;
  attachments: AttachmentTable;
  snapshots: SnapshotTable;
}

export interface VolumeTable {
  id: string;
  name: string;
  state: string;
  reason: string | null;
  size_bytes: string;
  backend: string;
  image: string;
  location: string | null;
  metadata: string;
  qos: string;
  source_snapshot_id: string | null;
  attempt: number;
  next_retry_at: number | null;
  last_operation_id: string | null;
  generation: number;
  version: number;
  created_at: number;
  updated_at: number;
  trash_expires_at: number | null;
  purged_at: number | null;
  parameters: string;
  backend_data: string | null;
}

export interface AttachmentTable {
  id: string;
  volume_id: string;
  node_id: string;
  vm_id: string | null;
  clients: string | null;
  mode: string;
  generation: number;
  state: string;
  attach_operation_id: string;
  detach_operation_id: string | null;
  created_at: number;
  detached_at: number | null;
  device: string | null;
}

export interface SnapshotTable {
  id: string;
  volume_id: string;
  name: string;
  size_bytes: string;
  state: string;
  reason: string | null;
  created_at: number;
}

/** The query builder with this feature's tables. */
export function volumeDb(reader: Reader): Kysely<KernelTables & VolumeTables> {
  return reader.db as unknown as Kysely<KernelTables & VolumeTables>;
}

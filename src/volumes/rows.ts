import type { BackendData } from './backend-data.ts';
import type { AttachMode, QosLimits } from './backends/backend.ts';
import type { VolumeState } from './fsm.ts';
import type { AttachmentTable, SnapshotTable, VolumeTable } from './tables.ts';
import type { Attachment, AttachmentState, Snapshot, SnapshotState, Volume } from './volume.ts';

/** Rows as the domain's values. */
export function toVolume(row: VolumeTable): Volume {
  return {
    id: row.id,
    name: row.name,
    state: row.state as VolumeState,
    reason: row.reason,
    sizeBytes: BigInt(row.size_bytes),
    backend: row.backend,
    image: row.image,
    location: row.location,
    metadata: JSON.parse(row.metadata) as Volume['metadata'],
    qos: JSON.parse(row.qos) as QosLimits,
    sourceSnapshotId: row.source_snapshot_id,
    attempt: row.attempt,
    nextRetryAtMs: row.next_retry_at,
    lastOperationId: row.last_operation_id,
    generation: row.generation,
    version: row.version,
    createdAtMs: row.created_at,
    updatedAtMs: row.updated_at,
    trashExpiresAtMs: row.trash_expires_at,
    parameters: JSON.parse(row.parameters) as Volume['parameters'],
    backendData: row.backend_data === null ? null : (JSON.parse(row.backend_data) as BackendData),
  };
}

export function toAttachment(row: AttachmentTable): Attachment {
  return {
    id: row.id,
    volumeId: row.volume_id,
    nodeId: row.node_id,
    vmId: row.vm_id,
    clients: row.clients === null ? [] : (JSON.parse(row.clients) as string[]),
    mode: row.mode as AttachMode,
    generation: row.generation,
    state: row.state as AttachmentState,
    attachOperationId: row.attach_operation_id,
    detachOperationId: row.detach_operation_id,
    createdAtMs: row.created_at,
    detachedAtMs: row.detached_at,
    device: row.device === 'root' ? row.device : null,
  };
}

export function toSnapshot(row: SnapshotTable): Snapshot {
  return {
    id: row.id,
    volumeId: row.volume_id,
    name: row.name,
    sizeBytes: BigInt(row.size_bytes),
    state: row.state as SnapshotState,
    reason: row.reason,
    createdAtMs: row.created_at,
  };
}

import type { Static } from 'typebox';
import type { Event } from '../kernel/events/event.ts';
import { isoTime, isoTimeOrNull } from '../kernel/operations/view.ts';
import type { snapshotSchema, volumeEventSchema, volumeSchema } from './contract.ts';
import { deviceView } from './device-routes.ts';
import type { SeenDevice } from './devices/book.ts';
import type { VolumeState } from './fsm.ts';
import type { VolumeDetail } from './queries.ts';
import type { Attachment, Snapshot } from './volume.ts';

/** A volume as the API writes it. */
export function volumeView(
  { volume, attachments, lastOperation }: VolumeDetail,
  seen: SeenDevice | null = null,
): Static<typeof volumeSchema> {
  const holder = attachments.find(({ state }) => state === 'attached' || state === 'detaching');
  return {
    id: volume.id,
    name: volume.name,
    state: volume.state,
    reason: volume.reason,
    size_bytes: volume.sizeBytes,
    backend: volume.backend,
    image: volume.image,
    location: volume.location,
    node_id: holder?.nodeId ?? null,
    attachments: attachments.map(attachmentView),
    metadata: volume.metadata,
    qos: volume.qos as Record<string, number>,
    source_snapshot_id: volume.sourceSnapshotId,
    attempt: volume.attempt,
    next_retry_at: isoTimeOrNull(volume.nextRetryAtMs),
    last_operation:
      lastOperation === null ? null : { id: lastOperation.id, type: lastOperation.kind, status: lastOperation.status },
    version: volume.version,
    created_at: isoTime(volume.createdAtMs),
    updated_at: isoTime(volume.updatedAtMs),
    trash_expires_at: isoTimeOrNull(volume.trashExpiresAtMs),
    parameters: volume.parameters,
    cloudstack_data: volume.backend === 'cloudstack' ? volume.backendData : null,
    linux_data: seen === null ? null : deviceView(seen),
  };
}

function attachmentView(attachment: Attachment): Static<typeof volumeSchema>['attachments'][number] {
  const { id, nodeId, vmId, mode, device, generation, state, createdAtMs } = attachment;
  return { id, node_id: nodeId, vm_id: vmId, mode, device, generation, state, created_at: isoTime(createdAtMs) };
}

export function snapshotView(snapshot: Snapshot): Static<typeof snapshotSchema> {
  const { id, volumeId, name, sizeBytes, state, reason, createdAtMs } = snapshot;
  return { id, volume_id: volumeId, name, size_bytes: sizeBytes, state, reason, created_at: isoTime(createdAtMs) };
}

/** An event of a volume as its stream tells it. */
export function volumeEventView(event: Event): Static<typeof volumeEventSchema> {
  const { volume_id, name, state, from, reason, ...details } = event.data as Record<string, unknown>;
  return {
    volume_id: String(volume_id),
    name: String(name),
    state: state as VolumeState,
    from: (from as string | null) ?? null,
    event: event.type.replace(/^volume\./, ''),
    reason: (reason as string | undefined) ?? null,
    timestamp: isoTime(event.createdAtMs),
    operation_id: event.operationId,
    actor: event.actor,
    details,
  };
}

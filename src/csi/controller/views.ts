import type { SnapshotRecord, VolumeRecord } from '../holdfast.ts';
import type { ContentSource, Snapshot, Volume, VolumeStatus } from '../messages.ts';

/** Metadata that the driver keeps with a volume. */
export const labels = {
  /** The name by which the orchestrator asked for it, which Holdfast's name may only stand for. */
  name: 'csi.holdfast.io/name',
  /** What it was filled from: `snapshot:…` or `volume:…`. */
  source: 'csi.holdfast.io/source',
} as const;

export function sourceLabel(source: ContentSource | null): string | null {
  if (source?.snapshot) return `snapshot:${source.snapshot.snapshot_id}`;
  return source?.volume ? `volume:${source.volume.volume_id}` : null;
}

/** The id of the volume that a volume was cloned from. */
export function clonedFrom(volume: VolumeRecord): string | null {
  const label = volume.metadata[labels.source];
  return label?.startsWith('volume:') === true ? label.slice('volume:'.length) : null;
}

/** A volume as CSI tells of it. */
export function volumeView(volume: VolumeRecord): Volume {
  const [kind, id = ''] = (volume.metadata[labels.source] ?? '').split(':');
  const isFilled = kind === 'snapshot' || kind === 'volume';
  const source = kind === 'snapshot' ? { snapshot: { snapshot_id: id } } : { volume: { volume_id: id } };
  return {
    volume_id: volume.id,
    capacity_bytes: String(volume.sizeBytes),
    volume_context: {},
    ...(isFilled ? { content_source: source } : {}),
  };
}

/** Where a volume is, and whether all is well with it. */
export function statusView({ state, reason, attachments }: VolumeRecord): VolumeStatus {
  const isAbnormal = state === 'error' || state.endsWith('_failed');
  return {
    published_node_ids: attachments.filter((held) => held.state !== 'failed').map(({ nodeId }) => nodeId),
    volume_condition: {
      abnormal: isAbnormal,
      message: isAbnormal ? `The volume is ${state}${reason === null ? '' : `: ${reason}`}` : `The volume is ${state}.`,
    },
  };
}

export function snapshotView({ id, volumeId, sizeBytes, createdAtMs, state }: SnapshotRecord): Snapshot {
  return {
    snapshot_id: id,
    source_volume_id: volumeId,
    size_bytes: String(sizeBytes),
    creation_time: { seconds: String(Math.floor(createdAtMs / 1_000)), nanos: (createdAtMs % 1_000) * 1_000_000 },
    ready_to_use: state === 'available',
  };
}

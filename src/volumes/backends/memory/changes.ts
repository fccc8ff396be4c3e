import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { CreateImage, Detachment, ImageAttachment, ImageFacts, QosLimits, SnapshotFacts } from '../backend.ts';
import {
  hasAttachmentToRemove,
  isInTrash,
  noImage,
  noSnapshot,
  refuseOtherAttachment,
  refuseShrinking,
  refuseSmallClone,
  refuseUnlessAdoptable,
  refuseUnlessOurs,
} from '../image-rules.ts';
import { type MemoryDisk, type MemoryImage, emptyImage } from './disk.ts';

// Each function here is one mutating verb, done at once: it throws before it has changed anything.

export function create(disk: MemoryDisk, fence: number, params: CreateImage): ImageFacts {
  const { image, volumeId, name, sizeBytes, source, qos = {} } = params;
  if (!disk.live.has(image) && disk.trash.has(image)) throw isInTrash(image);
  const standing = disk.live.get(image);
  if (standing !== undefined) {
    refuseUnlessOurs(standing, params);
    const tag = standing.volumeId === null ? { volumeId, name, qos } : {};
    return disk.facts(disk.change(standing, { ...tag, sizeBytes, complete: true }));
  }
  if (source !== undefined) {
    const snapshotBytes = disk.live.get(source.image)?.snapshots.get(source.snapshot);
    if (snapshotBytes === undefined) throw noSnapshot(source.image, source.snapshot);
    refuseSmallClone(params, snapshotBytes);
  }
  const made = { ...emptyImage(image, sizeBytes), volumeId, name, qos, fence, complete: true };
  disk.live.set(image, made);
  return disk.facts(made);
}

export function adopt(
  disk: MemoryDisk,
  image: string,
  { volumeId, name }: { readonly volumeId: string; readonly name: string },
): ImageFacts {
  const standing = requireLive(disk, image);
  refuseUnlessAdoptable(standing, volumeId);
  const tag = standing.volumeId === null ? { volumeId, name } : {};
  return disk.facts(disk.change(standing, { ...tag, complete: true }));
}

export function resize(disk: MemoryDisk, image: string, sizeBytes: bigint): ImageFacts {
  const standing = requireLive(disk, image);
  refuseShrinking(standing, sizeBytes);
  return disk.facts(disk.change(standing, { sizeBytes }));
}

export function createSnapshot(disk: MemoryDisk, image: string, snapshot: string): SnapshotFacts {
  const standing = requireLive(disk, image);
  const sizeBytes = standing.snapshots.get(snapshot) ?? standing.sizeBytes;
  disk.change(standing, { snapshots: new Map(standing.snapshots).set(snapshot, sizeBytes) });
  return { snapshot, sizeBytes };
}

export function deleteSnapshot(disk: MemoryDisk, image: string, snapshot: string): void {
  const standing = disk.live.get(image) ?? disk.trash.get(image);
  if (standing === undefined) return;
  const snapshots = new Map(standing.snapshots);
  snapshots.delete(snapshot);
  disk.change(standing, { snapshots });
}

export function revert(disk: MemoryDisk, image: string, snapshot: string): ImageFacts {
  const standing = requireLive(disk, image);
  const sizeBytes = standing.snapshots.get(snapshot);
  if (sizeBytes === undefined) throw noSnapshot(image, snapshot);
  refuseWatched(disk, image, 'revert');
  return disk.facts(disk.change(standing, { sizeBytes }));
}

export function attach(disk: MemoryDisk, image: string, attachment: ImageAttachment): ImageFacts {
  const standing = requireLive(disk, image);
  refuseOtherAttachment(standing, attachment);
  // Once attached, a watcher is most likely the very client that we attached.
  if (standing.attachment === null) refuseWatched(disk, image, 'attach');
  return disk.facts(disk.change(standing, { attachment: { ...attachment } }));
}

export function detach(disk: MemoryDisk, image: string, detachment: Detachment): void {
  const standing = disk.live.get(image) ?? disk.trash.get(image);
  if (standing === undefined || !hasAttachmentToRemove(standing, detachment)) return;
  if (detachment.force) disk.watchers.delete(image);
  refuseWatched(disk, image, 'detach');
  disk.change(standing, { attachment: null });
}

export function setQos(disk: MemoryDisk, image: string, qos: QosLimits): void {
  disk.change(requireLive(disk, image), { qos: { ...qos } });
}

export function trash(disk: MemoryDisk, image: string): void {
  const standing = disk.live.get(image);
  if (standing === undefined) return;
  if (disk.trash.has(image)) throw isInTrash(image);
  refuseWatched(disk, image, 'trash');
  disk.trash.set(image, standing);
  disk.live.delete(image);
}

export function restore(disk: MemoryDisk, image: string): ImageFacts {
  const live = disk.live.get(image);
  if (live !== undefined) return disk.facts(live);
  const trashed = disk.trash.get(image);
  if (trashed === undefined) throw noImage(image);
  disk.live.set(image, trashed);
  disk.trash.delete(image);
  return disk.facts(trashed);
}

export function purge(disk: MemoryDisk, image: string): void {
  refuseWatched(disk, image, 'purge');
  if (!disk.live.delete(image)) disk.trash.delete(image);
}

function requireLive(disk: MemoryDisk, image: string): MemoryImage {
  const live = disk.live.get(image);
  if (live !== undefined) return live;
  throw disk.trash.has(image) ? isInTrash(image) : noImage(image);
}

function refuseWatched(disk: MemoryDisk, image: string, verb: string): void {
  const watchers = disk.watchers.get(image) ?? [];
  if (watchers.length === 0) return;
  throw new HoldfastError('conflict', `Cannot ${verb} ${image}: ${watchers.join(', ')} has it open.`, { watchers });
}

import type { Call } from '../call.ts';
import type { VolumeRequest } from '../messages.ts';
import { isCloneSnapshot } from '../names.ts';
import { CsiRefusal } from '../status.ts';
import { removeCloneSnapshot } from './clone-snapshot.ts';
import { type ControllerContext, requireField } from './context.ts';
import { clonedFrom } from './views.ts';

/** As many as a volume can have. */
const snapshotsMax = 1_000;

/**
 * DeleteVolume. One that is gone is success. A volume with snapshots is refused, since they would go along with it; those that
 * the driver made for clones do not count, and go. The bytes stay in Holdfast's trash for as long as the server keeps it.
 */
export async function deleteVolume(
  context: ControllerContext,
  { volume_id: id }: VolumeRequest,
  call: Call,
): Promise<object> {
  const { holdfast } = context;
  const volume = await holdfast.findVolume(requireField(id, 'volume id'), call);
  if (volume === null) return {};
  if (volume.state.startsWith('deleting') && volume.lastOperation !== null) {
    await holdfast.settle(volume.lastOperation.id, call);
    return {};
  }
  const holder = volume.attachments.find(({ state }) => state !== 'failed');
  if (holder !== undefined) {
    throw new CsiRefusal('FAILED_PRECONDITION', `Volume ${id} is in use at node ${holder.nodeId}.`);
  }
  const snapshots = await holdfast.listSnapshots({ volumeId: id }, { cursor: null, limit: snapshotsMax }, call);
  const dependent = snapshots.items.filter(({ name }) => !isCloneSnapshot(name));
  if (dependent.length > 0) {
    const ids = dependent.slice(0, 5).map((snapshot) => snapshot.id);
    const message = `Volume ${id} has ${dependent.length} snapshots, which must be deleted first: ${ids.join(', ')}.`;
    throw new CsiRefusal('FAILED_PRECONDITION', message);
  }
  for (const snapshot of snapshots.items) await holdfast.deleteSnapshot(id, snapshot.id, call);
  await holdfast.deleteVolume(id, call);
  const sourceId = clonedFrom(volume);
  if (sourceId !== null) await removeCloneSnapshot(context, sourceId, volume.name, call);
  return {};
}

import type { Call } from '../call.ts';
import type { CreateSnapshotRequest, Snapshot } from '../messages.ts';
import { holdfastName } from '../names.ts';
import { CsiRefusal } from '../status.ts';
import { type ControllerContext, requireField, requireVolume } from './context.ts';
import { findSnapshot } from './find-snapshot.ts';
import { makeSnapshot } from './make-snapshot.ts';
import { snapshotView } from './views.ts';

/** CreateSnapshot. In CSI a snapshot's name is its own among all volumes, in Holdfast among its volume's. */
export async function createSnapshot(
  context: ControllerContext,
  request: CreateSnapshotRequest,
  call: Call,
): Promise<{ snapshot: Snapshot }> {
  const name = holdfastName(request.name);
  const volumeId = requireField(request.source_volume_id, 'source volume id');
  const [unknown] = Object.keys(request.parameters).filter((key) => !key.startsWith('csi.storage.k8s.io/'));
  if (unknown !== undefined) {
    throw new CsiRefusal('INVALID_ARGUMENT', `There is no parameter ${unknown.slice(0, 100)} of snapshots.`);
  }
  const taken = await findSnapshot(context, { name }, call);
  if (taken !== null && taken.volumeId !== volumeId) {
    throw new CsiRefusal('ALREADY_EXISTS', `Volume ${taken.volumeId} has a snapshot of this name already.`);
  }
  const volume = await requireVolume(context, volumeId, call);
  return { snapshot: snapshotView(await makeSnapshot(context, volume.id, name, call)) };
}

import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Call } from '../call.ts';
import type { CreateSnapshotRequest, Snapshot } from '../messages.ts';
import { holdfastName } from '../names.ts';
import { CsiRefusal } from '../status.ts';
import { type ControllerContext, requireField, requireVolume } from './context.ts';
import { findSnapshot } from './find-snapshot.ts';
import { makeSnapshot } from './make-snapshot.ts';
import { snapshotView } from './views.ts';

/**
 * CreateSnapshot. In CSI a snapshot's name is its own among all volumes, in Holdfast among its volume's; so Holdfast is asked to
 * refuse a name that any volume's snapshot has, in the transaction that enters the new one.
 */
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
  // People may give the name to snapshots of further volumes later: the oldest is the one that is meant.
  const oldest = await findSnapshot(context, { name }, call);
  if (oldest !== null && oldest.volumeId !== volumeId) {
    throw new CsiRefusal('ALREADY_EXISTS', `Volume ${oldest.volumeId} has a snapshot of this name already.`);
  }
  const volume = await requireVolume(context, volumeId, call);
  try {
    return { snapshot: snapshotView(await makeSnapshot(context, volume.id, name, 'all', call)) };
  } catch (error) {
    if (error instanceof HoldfastError && isElsewhere(error, volume.id)) {
      throw new CsiRefusal('ALREADY_EXISTS', error.message);
    }
    throw error;
  }
}

/** Whether a snapshot of another volume is in the way. */
function isElsewhere({ kind, details }: HoldfastError, volumeId: string): boolean {
  const holder = details['volume_id'];
  return kind === 'conflict' && holder !== undefined && holder !== volumeId;
}

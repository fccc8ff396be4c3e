import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Call } from '../call.ts';
import type { SnapshotRecord } from '../holdfast.ts';
import { cloneSnapshotName } from '../names.ts';
import { CsiRefusal } from '../status.ts';
import type { ControllerContext } from './context.ts';
import { findSnapshot } from './find-snapshot.ts';
import { makeSnapshot } from './make-snapshot.ts';

/**
 * The snapshot through which a volume is cloned. Its name comes from the clone's name, so whoever repeats the call, or
 * deletes the clone or the source, finds it again: it is never left over without an owner.
 */
export async function snapshotForClone(
  context: ControllerContext,
  sourceId: string,
  cloneName: string,
  call: Call,
): Promise<SnapshotRecord> {
  const source = await context.holdfast.findVolume(sourceId, call);
  if (source === null) throw new CsiRefusal('NOT_FOUND', `There is no volume ${sourceId.slice(0, 200)} to clone.`);
  return makeSnapshot(context, source.id, cloneSnapshotName(cloneName), 'volume', call);
}

/** Removes it, when the clone is whole or gone. A source that cannot be changed now keeps it for the next who asks. */
export async function removeCloneSnapshot(
  context: ControllerContext,
  sourceId: string,
  cloneName: string,
  call: Call,
): Promise<void> {
  const left = await findSnapshot(context, { name: cloneSnapshotName(cloneName), volumeId: sourceId }, call);
  if (left === null) return;
  try {
    await context.holdfast.deleteSnapshot(sourceId, left.id, call);
  } catch (error) {
    if (!(error instanceof HoldfastError) || !['conflict', 'not_found'].includes(error.kind)) throw error;
  }
}

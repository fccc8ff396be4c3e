import type { Call } from '../call.ts';
import { boundsOf, chooseSize } from '../capacity.ts';
import type { ExpandRequest } from '../messages.ts';
import { CsiRefusal } from '../status.ts';
import { type ControllerContext, requireField, requireVolume } from './context.ts';

/** ControllerExpandVolume. A volume that is large enough is left as it is; the node looks at its device in any case. */
export async function expandVolume(
  context: ControllerContext,
  { volume_id: id, capacity_range: range }: ExpandRequest,
  call: Call,
): Promise<{ capacity_bytes: string; node_expansion_required: boolean }> {
  requireField(id, 'volume id');
  if (range === null) throw new CsiRefusal('INVALID_ARGUMENT', 'The capacity range is missing.');
  const bounds = boundsOf(range);
  const { requiredBytes, limitBytes } = bounds;
  if (requiredBytes === null && limitBytes === null) {
    throw new CsiRefusal('INVALID_ARGUMENT', 'The capacity range names no size.');
  }
  const volume = await requireVolume(context, id, call);
  if (limitBytes !== null && volume.sizeBytes > limitBytes) {
    throw new CsiRefusal('OUT_OF_RANGE', `Volume ${id} has ${volume.sizeBytes} bytes already, and cannot shrink.`);
  }
  const isSmaller = requiredBytes !== null && volume.sizeBytes < requiredBytes;
  const sizeBytes = isSmaller ? chooseSize(bounds, volume.sizeBytes) : volume.sizeBytes;
  if (isSmaller) await context.holdfast.resizeVolume(id, sizeBytes, call);
  return { capacity_bytes: String(sizeBytes), node_expansion_required: true };
}

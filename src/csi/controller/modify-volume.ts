import type { Call } from '../call.ts';
import type { ModifyRequest } from '../messages.ts';
import { type ControllerContext, requireField, requireVolume } from './context.ts';
import { parseMutableParameters } from './parameters.ts';

/** ControllerModifyVolume: sets the limits that are named, in use or not, and leaves the others as they are. */
export async function modifyVolume(
  context: ControllerContext,
  { volume_id: id, mutable_parameters: parameters }: ModifyRequest,
  call: Call,
): Promise<object> {
  requireField(id, 'volume id');
  const qos = parseMutableParameters(parameters);
  const volume = await requireVolume(context, id, call);
  const isSet = Object.entries(qos).every(([name, limit]) => volume.qos[name] === limit);
  if (!isSet) await context.holdfast.setQos(volume.id, { ...volume.qos, ...qos }, call);
  return {};
}

import type { Call } from '../call.ts';
import { whyUnsupported } from '../capabilities.ts';
import type { ValidateRequest, ValidateResponse } from '../messages.ts';
import { CsiRefusal } from '../status.ts';
import { type ControllerContext, requireVolume, requireField } from './context.ts';

/** ValidateVolumeCapabilities. What cannot be had is no error: it is not confirmed, and the message says why. */
export async function validateCapabilities(
  context: ControllerContext,
  request: ValidateRequest,
  call: Call,
): Promise<ValidateResponse> {
  const { volume_id: id, volume_capabilities: capabilities, volume_context, parameters } = request;
  requireField(id, 'volume id');
  if (capabilities.length === 0) throw new CsiRefusal('INVALID_ARGUMENT', 'The volume capabilities are missing.');
  await requireVolume(context, id, call);
  const message = capabilities.map(whyUnsupported).find((why) => why !== null);
  if (message !== undefined && message !== null) return { message };
  return { confirmed: { volume_context, volume_capabilities: capabilities, parameters } };
}

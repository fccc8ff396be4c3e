import type { Call } from '../call.ts';
import { whyUnsupported } from '../capabilities.ts';
import type { ValidateRequest, ValidateResponse } from '../messages.ts';
import { CsiRefusal } from '../status.ts';
import { type ControllerContext, requireVolume, requireField } from './context.ts';
import { parseMutableParameters, parseParameters } from './parameters.ts';

/** ValidateVolumeCapabilities. What cannot be had is no error: it is not confirmed, and the message says why. */
export async function validateCapabilities(
  context: ControllerContext,
  request: ValidateRequest,
  call: Call,
): Promise<ValidateResponse> {
  const { volume_id: id, volume_capabilities, volume_context, parameters, mutable_parameters } = request;
  requireField(id, 'volume id');
  if (volume_capabilities.length === 0) {
    throw new CsiRefusal('INVALID_ARGUMENT', 'The volume capabilities are missing.');
  }
  await requireVolume(context, id, call);
  const message = volume_capabilities.map(whyUnsupported).find((why) => why !== null) ?? whyNotConfirmed(request);
  if (message !== null) return { message };
  return { confirmed: { volume_context, volume_capabilities, parameters, mutable_parameters } };
}

/** Why the parameters cannot be those of any volume, in a sentence; `null` when they can. */
function whyNotConfirmed({ parameters, mutable_parameters: mutable }: ValidateRequest): string | null {
  try {
    parseParameters(parameters);
    parseMutableParameters(mutable);
    return null;
  } catch (error) {
    if (error instanceof CsiRefusal) return error.message;
    throw error;
  }
}

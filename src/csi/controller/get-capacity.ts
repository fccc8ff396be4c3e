import type { Call } from '../call.ts';
import { whyUnsupported } from '../capabilities.ts';
import type { GetCapacityRequest } from '../messages.ts';
import type { ControllerContext } from './context.ts';
import { parseParameters } from './parameters.ts';

/** What a backend that knows no bounds is taken to have: the largest number of bytes that CSI can say. */
const boundless = 9_223_372_036_854_775_807n;

/** GetCapacity: the free bytes of the backend that the parameters name. None, for what cannot be had at all. */
export async function getCapacity(
  { holdfast }: ControllerContext,
  { volume_capabilities: capabilities, parameters }: GetCapacityRequest,
  call: Call,
): Promise<{ available_capacity: string }> {
  const { backend } = parseParameters(parameters);
  if (capabilities.some((capability) => whyUnsupported(capability) !== null)) return { available_capacity: '0' };
  return { available_capacity: String((await holdfast.freeBytes(backend, call)) ?? boundless) };
}

import { instanceOf } from './changes.ts';
import { type ObserveOptions, type ObservedDevice, observeDevice } from './observe.ts';

/**
 * Whether a device that was observed before is still the same disk under the same name and number, with the same size and
 * identity. Asked after something holds the device open, a yes stays true: the kernel gives a number that is
 * held to nobody else (but for NBD, whose devices are connected and disconnected as they are).
 */
export async function isStillThere(
  device: ObservedDevice,
  options: ObserveOptions,
  signal: AbortSignal,
): Promise<boolean> {
  const now = await observeDevice(device.name, options, signal);
  return now !== null && now.sizeBytes === device.sizeBytes && instanceOf(now) === instanceOf(device);
}

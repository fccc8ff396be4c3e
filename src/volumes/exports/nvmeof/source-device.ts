import type { ExportSource } from '../target.ts';
import { readBacking } from './backing.ts';
import type { HeldDevice, Origin } from './block-device.ts';
import { loopDevices } from './loop-device.ts';
import { rbdDevices } from './rbd-device.ts';

/** What a namespace serves. */
export interface ServedDevice extends Origin {
  /** As clients see it once they were told. */
  readonly sizeBytes: bigint;
}

/** Makes the device that a namespace is to serve; see the port. */
export function holdDevice(exportId: string, source: ExportSource, signal: AbortSignal): Promise<HeldDevice> {
  if (source.kind === 'file') return loopDevices.hold(exportId, source, signal);
  return rbdDevices.hold(exportId, source, signal);
}

/** What stands behind a namespace that has `devicePath` open; `identity` is that of the image that it was made for. */
export async function readServed(devicePath: string, identity: string, signal: AbortSignal): Promise<ServedDevice> {
  const device = await readBacking(devicePath);
  const sizeBytes = device?.sizeBytes ?? 0n;
  const itself = { source: { kind: 'file', path: devicePath }, identity: device?.identity ?? '' } as const;
  // A device can be a source, and a loop device too.
  if (device === null || itself.identity === identity) return { ...itself, sizeBytes };
  const made = (await loopDevices.read(devicePath, signal)) ?? (await rbdDevices.read(devicePath, signal));
  return { source: itself.source, identity: itself.identity, ...made, sizeBytes };
}

/** Grows what stands behind a device; see the port. */
export function growDevice(
  devicePath: string,
  source: ExportSource,
  sizeBytes: bigint,
  signal: AbortSignal,
): Promise<void> {
  if (source.kind === 'file') return loopDevices.grow(devicePath, source, sizeBytes, signal);
  return rbdDevices.grow(devicePath, source, sizeBytes, signal);
}

import type { ObservedDevice } from './observe.ts';

/** What became of one disk between two observations; `device` is its newest known state. */
export interface DeviceChange {
  readonly kind: 'appeared' | 'vanished' | 'resized';
  readonly device: ObservedDevice;
}

/**
 * What happened between two observations, the vanished first. Disks are told apart by what they are: one that took over the
 * letter and the number of another is one that vanished and one that appeared, whatever their sizes.
 */
export function deviceChanges(
  before: readonly ObservedDevice[],
  after: readonly ObservedDevice[],
): readonly DeviceChange[] {
  const known = new Map(before.map((device) => [instanceOf(device), device]));
  const present = new Set(after.map(instanceOf));
  const changes: DeviceChange[] = [];
  for (const [instance, device] of known) if (!present.has(instance)) changes.push({ kind: 'vanished', device });
  for (const device of after) {
    const previous = known.get(instanceOf(device));
    if (previous === undefined) changes.push({ kind: 'appeared', device });
    else if (previous.sizeBytes !== device.sizeBytes) changes.push({ kind: 'resized', device });
  }
  return changes;
}

/** One presence of one disk. The disk sequence alone would do, but older kernels have none. */
export function instanceOf({
  diskSequence,
  majorMinor,
  serial,
  uuid,
  nguid,
  wwid,
  deviceMapper,
  nbd,
}: ObservedDevice): string {
  return JSON.stringify([
    diskSequence,
    majorMinor,
    serial,
    uuid,
    nguid,
    wwid,
    deviceMapper?.uuid,
    nbd?.pid,
    nbd?.exportName,
  ]);
}

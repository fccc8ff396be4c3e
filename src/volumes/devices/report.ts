import type { ObservedDevice } from './observe.ts';

/** A device as an agent tells of it: JSON, so its size is decimal text. */
export type ReportedDevice = Omit<ObservedDevice, 'sizeBytes'> & { readonly sizeBytes: string };

/** The section `devices` of a host's reports. */
export function devicesReport(devices: readonly ObservedDevice[]): readonly ReportedDevice[] {
  return devices.map((device) => ({ ...device, sizeBytes: String(device.sizeBytes) }));
}

/** The inverse of {@link devicesReport}; what was never told is nothing. */
export function readDevicesReport(report: unknown): readonly ObservedDevice[] {
  const devices = (report ?? []) as readonly ReportedDevice[];
  return devices.map((device) => ({ ...device, sizeBytes: BigInt(device.sizeBytes) }));
}

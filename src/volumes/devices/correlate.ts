import { parseNbdExportName } from './nbd-export.ts';
import type { ObservedDevice } from './observe.ts';
import { volumeSerial } from './volume-serial.ts';

/** A volume that may be at this machine. */
export interface KnownVolume {
  readonly volumeId: string;
  /** The UUIDs under which a disk of it may show itself: that of its id, and that of its backend. */
  readonly uuids: readonly string[];
  /** Of its attachment at this machine. An NBD device on an export of another generation is not the volume any more. */
  readonly generation?: number;
}

/** One device that is one volume, and by what it is known. */
export interface Match {
  readonly volumeId: string;
  readonly device: ObservedDevice;
  readonly by: 'uuid' | 'serial' | 'nbd_export';
}

/** Why devices that bear the identity of a volume are none of the volumes. */
export interface Doubt {
  readonly reason: 'several_devices' | 'several_volumes' | 'contradiction' | 'other_generation';
  /** A sentence for people. */
  readonly message: string;
  /** By name, as it was when they were observed. */
  readonly devices: readonly string[];
  readonly volumeIds: readonly string[];
}

export interface Correlation {
  readonly matches: readonly Match[];
  readonly doubts: readonly Doubt[];
}

interface Claim {
  readonly volumeIds: readonly string[];
  readonly by: Match['by'];
}

/**
 * Tells which device is which volume, by identity alone: a full UUID (of an NVMe namespace, or as a serial), else a serial in
 * one of the forms that virtio's 20 bytes allow: CloudStack's (the UUID without hyphens, cut), OpenStack's (with hyphens,
 * cut; also behind the `virtio-` of `/dev/disk/by-id`) or Holdfast's own ({@link volumeSerial}). An NBD device has neither,
 * and is known by the export to which it is connected. Sizes, letters and times are never asked. Where two devices are one
 * volume, or a serial is that of two volumes, nothing is matched and a doubt says so: a wrong disk costs data, an unknown one
 * costs a question.
 */
export function correlate(devices: readonly ObservedDevice[], volumes: readonly KnownVolume[]): Correlation {
  const index = indexOf(volumes);
  const doubts: Doubt[] = [];
  const claims = new Map<string, Match[]>();
  const generations = new Map(volumes.map(({ volumeId, generation }) => [volumeId, generation]));
  for (const device of devices) {
    const stale = otherGeneration(device, generations);
    if (stale !== null) {
      doubts.push(stale);
      continue;
    }
    const claim = claimOf(device, index);
    if (claim === null) continue;
    if (claim === 'contradiction') {
      doubts.push(contradiction(device, index));
      continue;
    }
    const [volumeId, ...others] = claim.volumeIds;
    if (volumeId === undefined || others.length > 0) doubts.push(severalVolumes(device, claim.volumeIds));
    else claims.set(volumeId, [...(claims.get(volumeId) ?? []), { volumeId, device, by: claim.by }]);
  }
  const matches: Match[] = [];
  for (const [volumeId, bearers] of claims) {
    if (bearers.length === 1) matches.push(bearers[0]!);
    else doubts.push(severalDevices(volumeId, bearers));
  }
  return { matches, doubts };
}

type Index = ReadonlyMap<string, readonly string[]>;

function indexOf(volumes: readonly KnownVolume[]): Index {
  const index = new Map<string, string[]>();
  const add = (key: string, volumeId: string): void => {
    const known = index.get(key);
    if (known === undefined) index.set(key, [volumeId]);
    else if (!known.includes(volumeId)) known.push(volumeId);
  };
  for (const { volumeId, uuids } of volumes) {
    add(volumeSerial(volumeId), volumeId);
    add(nbdKey(volumeId), volumeId);
    for (const uuid of uuids) {
      const digits = uuidDigits(uuid);
      if (digits === null) continue;
      add(digits, volumeId);
      add(digits.slice(0, 20), volumeId);
      add(hyphenated(digits).slice(0, 20), volumeId);
    }
  }
  return index;
}

/** What a device says it is. `null`: none of ours. */
function claimOf(device: ObservedDevice, index: Index): Claim | 'contradiction' | null {
  if (device.nbd !== null) {
    const named = parseNbdExportName(device.nbd.exportName ?? '');
    const volumeIds = named === null ? [] : (index.get(nbdKey(named.volumeId)) ?? []);
    return volumeIds.length === 0 ? null : { volumeIds, by: 'nbd_export' };
  }
  const serial = normalSerial(device.serial);
  const bySerial = index.get(serial) ?? [];
  const nguid = uuidDigits(device.nguid);
  const shown = uuidDigits(device.uuid ?? wwidUuid(device.wwid));
  const uuid = shown === nguid ? null : shown;
  const full = index.get(uuid ?? '') ?? (uuid === null ? index.get(nguid ?? '') : undefined);
  // A namespace's UUID names this disk; an NVMe serial only its controller, which may hold several of them.
  if (full !== undefined) {
    const isContradicted = bySerial.length > 0 && !bySerial.some((each) => full.includes(each));
    return isContradicted ? 'contradiction' : { volumeIds: full, by: 'uuid' };
  }
  if (bySerial.length === 0) return null;
  if (uuid !== null) return 'contradiction';
  return { volumeIds: bySerial, by: serial.length === 32 ? 'uuid' : 'serial' };
}

/** Serials are compared in lower case, so none is ever taken for an export. */
function nbdKey(volumeId: string): string {
  return `NBD export of ${volumeId}`;
}

function normalSerial(serial: string | null): string {
  const text = (serial ?? '')
    .trim()
    .toLowerCase()
    .replace(/^virtio-/, '');
  return uuidDigits(text) ?? text;
}

/** The 32 digits of a UUID with or without hyphens; `null` for another text, and for zeros, which name nothing. */
function uuidDigits(text: string | null): string | null {
  const lower = (text ?? '').trim().toLowerCase();
  if (!/^[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}$/.test(lower)) return null;
  const digits = lower.replaceAll('-', '');
  return /^0+$/.test(digits) ? null : digits;
}

function wwidUuid(wwid: string | null): string | null {
  return wwid?.startsWith('uuid.') === true ? wwid.slice('uuid.'.length) : null;
}

function hyphenated(digits: string): string {
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

function severalDevices(volumeId: string, bearers: readonly Match[]): Doubt {
  const devices = bearers.map(({ device }) => device.name);
  const message = `${devices.join(' and ')} all bear the identity of ${volumeId}, so none is taken for it.`;
  return { reason: 'several_devices', message, devices, volumeIds: [volumeId] };
}

function severalVolumes(device: ObservedDevice, volumeIds: readonly string[]): Doubt {
  const message = `${device.name} bears an identity that ${volumeIds.join(' and ')} share, so it is taken for none.`;
  return { reason: 'several_volumes', message, devices: [device.name], volumeIds };
}

function contradiction(device: ObservedDevice, index: Index): Doubt {
  const volumeIds = index.get(normalSerial(device.serial)) ?? [];
  const message = `${device.name} has the serial of ${volumeIds.join(' and ')}, but another UUID; it is taken for none.`;
  return { reason: 'contradiction', message, devices: [device.name], volumeIds };
}

function otherGeneration(device: ObservedDevice, generations: ReadonlyMap<string, number | undefined>): Doubt | null {
  const named = parseNbdExportName(device.nbd?.exportName ?? '');
  const current = named === null ? undefined : generations.get(named.volumeId);
  if (named === null || current === undefined || named.generation === current) return null;
  const of = `generation ${named.generation} of ${named.volumeId}`;
  const message = `${device.name} is connected to ${of}, which is at generation ${current} now; it is taken for none.`;
  return { reason: 'other_generation', message, devices: [device.name], volumeIds: [named.volumeId] };
}

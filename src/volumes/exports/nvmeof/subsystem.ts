import { hash } from 'node:crypto';
import { HoldfastError } from '../../../kernel/errors/errors.ts';

/** The limit of NVMe (Base Specification 2.0, 4.7: NVMe Qualified Names). */
const NQN_BYTES_MAX = 223;
const SERIAL_CHARACTERS_MAX = 20;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const PREFIX = 'nqn.2026-01.io.holdfast';
const OURS =
  /^nqn\.2026-01\.io\.holdfast:(?<exportId>[A-Za-z0-9_-]+):(?<volumeId>[A-Za-z0-9_-]+):g(?<generation>\d{1,16})$/;

/** What the name of a subsystem of ours says. */
export interface NamedSubsystem {
  readonly exportId: string;
  readonly volumeId: string;
  readonly generation: number;
}

/** A subsystem of the kernel's target as it is to be: one namespace, at one address, for hosts that are named. */
export interface Subsystem extends NamedSubsystem {
  /** Unique among what a host sees; at most 20 printable characters. */
  readonly serial: string;
  /** By which hosts recognise the namespace, whatever its device is called. */
  readonly uuid: string;
  /** Which image `devicePath` is of, in the form of a UUID; kept as the namespace's NGUID. */
  readonly nguid: string;
  /** Of a block device. */
  readonly devicePath: string;
  readonly hosts: readonly AllowedHost[];
  readonly address: PortAddress;
}

export interface AllowedHost {
  readonly nqn: string;
  /** DH-HMAC-CHAP (TP 8006); `null` for none, and where the kernel lacks it. */
  readonly auth: HostAuth | null;
}

/** Keys are `DHHC-1:…` texts. They stand in configfs, which only root reads, and nowhere else. */
export interface HostAuth {
  readonly key: string;
  /** With which the target proves itself to the host. */
  readonly controllerKey?: string;
}

/** TCP ports, both ends included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

export interface PortAddress {
  readonly family: 'ipv4' | 'ipv6';
  readonly address: string;
  /** TCP port; 4420 is NVMe's own (IANA). */
  readonly service: number;
}

/** @throws HoldfastError `invalid` when the ids are too long for it. */
export function nqnOf({ exportId, volumeId, generation }: NamedSubsystem): string {
  const nqn = `${PREFIX}:${exportId}:${volumeId}:g${generation}`;
  if (OURS.test(nqn) && nqn.length <= NQN_BYTES_MAX) return nqn;
  throw new HoldfastError('invalid', `The ids of the export do not fit into a name of NVMe: ${nqn.slice(0, 250)}.`);
}

/** `null` for a subsystem that is not ours. */
export function parseNqn(nqn: string): NamedSubsystem | null {
  const groups = OURS.exec(nqn)?.groups;
  if (groups === undefined) return null;
  const { exportId = '', volumeId = '', generation = '' } = groups;
  return { exportId, volumeId, generation: Number(generation) };
}

/** @throws HoldfastError `invalid`, before anything is touched: what is wrong here would end as a path, or be cut off. */
export function checkSubsystem(wanted: Subsystem): void {
  nqnOf(wanted);
  const { serial, uuid, nguid, devicePath, hosts, address } = wanted;
  if (serial.length > SERIAL_CHARACTERS_MAX || !/^[A-Za-z0-9_-]+$/.test(serial)) throw invalid('serial');
  if (!UUID.test(uuid)) throw invalid('uuid');
  if (!UUID.test(nguid)) throw invalid('nguid');
  if (!(Number.isInteger(address.service) && address.service > 0 && address.service < 65_536)) throw invalid('address');
  if (!devicePath.startsWith('/') || /[\0\n]/.test(devicePath)) throw invalid('devicePath');
  for (const { nqn } of hosts)
    if (nqn.length > NQN_BYTES_MAX || !/^nqn\.[A-Za-z0-9.:_-]+$/.test(nqn)) throw invalid('hosts');
  // A subsystem without hosts is of no use, and one that takes all is of too much.
  if (hosts.length === 0 || new Set(hosts.map(({ nqn }) => nqn)).size !== hosts.length) throw invalid('hosts');
}

function invalid(field: string): HoldfastError {
  return new HoldfastError('invalid', `The ${field} of an NVMe export cannot be used.`, { field });
}

/**
 * The UUID in the volume's id, by which hosts find the namespace; of an id without one, a UUID made of its hash (RFC 9562,
 * version 8).
 */
export function namespaceUuid(volumeId: string): string {
  const found = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.exec(volumeId)?.[0];
  if (found !== undefined) return found;
  const hex = hash('sha256', volumeId);
  return asUuid(`${hex.slice(0, 12)}8${hex.slice(13, 16)}8${hex.slice(17)}`);
}

/** The first 16 bytes of a hexadecimal text, grouped as in a UUID. */
export function asUuid(hex: string): string {
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}

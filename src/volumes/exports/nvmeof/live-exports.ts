import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { volumeSerial } from '../../devices/volume-serial.ts';
import type { ExportSource, LiveExport } from '../target.ts';
import { readBacking } from './backing.ts';
import { connectionTo } from './connection-info.ts';
import { hostKeysOf } from './host-keys.ts';
import type { LivePort, LiveSubsystem, LiveTarget } from './live-target.ts';
import { readServed } from './source-device.ts';
import { type NamedSubsystem, namespaceUuid, parseNqn } from './subsystem.ts';

/** An export of ours that hosts can reach, and what it serves. */
export interface FoundExport extends NamedSubsystem {
  readonly nqn: string;
  readonly source: ExportSource;
  /** The target has no way to refuse writes. */
  readonly readOnly: false;
  readonly allowedHosts: readonly string[];
  /** It can be reached, but its bytes cannot: a removal was cut off. */
  readonly isClosing: boolean;
  readonly devicePath: string;
  /** Of the image that it was made for. */
  readonly identity: string;
  readonly sizeBytes: bigint;
  /** Another image stands at the source now, or somebody else has changed what the export is. */
  readonly isStale: boolean;
  readonly port: LivePort;
}

/** A subsystem of ours that nobody reaches is half of an export, and none. */
export async function findExports(live: LiveTarget, signal: AbortSignal): Promise<FoundExport[]> {
  const found: FoundExport[] = [];
  for (const subsystem of live.subsystems) {
    const named = parseNqn(subsystem.nqn);
    const port = live.ports.find(({ subsystems }) => subsystems.includes(subsystem.nqn));
    if (named !== null && port !== undefined) found.push(await foundOf(named, subsystem, port, signal));
  }
  // What is read after that is taken for absent.
  if (signal.aborted) throw new HoldfastError('unavailable', 'What is exported over NVMe was not read in time.');
  return found;
}

async function foundOf(
  named: NamedSubsystem,
  subsystem: LiveSubsystem,
  port: LivePort,
  signal: AbortSignal,
): Promise<FoundExport> {
  const { nqn, hosts, namespaces } = subsystem;
  const [namespace] = namespaces;
  const isOurs =
    !subsystem.allowsAnyHost &&
    namespaces.length === 1 &&
    subsystem.serial === volumeSerial(named.volumeId) &&
    namespace?.uuid === namespaceUuid(named.volumeId);
  const { devicePath = '', nguid = '' } = namespace ?? {};
  const isClosing = namespace?.isEnabled !== true;
  // What has no device open may have lost it, and another may have its name.
  const served = isClosing ? null : await readServed(devicePath, nguid, signal);
  return {
    ...named,
    nqn,
    source: served?.source ?? { kind: 'file', path: '' },
    readOnly: false,
    allowedHosts: hosts,
    isClosing,
    devicePath,
    identity: nguid,
    sizeBytes: served?.sizeBytes ?? 0n,
    isStale: !isOurs || (served?.identity ?? nguid) !== nguid,
    port,
  };
}

/** Gives exports of this source its name: a file has many paths, and the kernel tells one. */
export async function namedAs(source: ExportSource, found: readonly FoundExport[]): Promise<FoundExport[]> {
  const backing = source.kind === 'file' ? await readBacking(source.path) : null;
  const isOfIt = ({ identity, isStale }: FoundExport): boolean => identity === backing?.identity && !isStale;
  return found.map((each) => (isOfIt(each) ? { ...each, source } : each));
}

/** Adds how hosts get there, and with which keys. */
export async function describe(
  found: FoundExport,
  root: string,
  advertisedHost: string | undefined,
): Promise<LiveExport> {
  const { exportId, volumeId, generation, source, readOnly, sizeBytes, allowedHosts, isClosing, isStale } = found;
  const { port, nqn } = found;
  const service = Number(port.service);
  const keys = await hostKeysOf(root, allowedHosts);
  return {
    exportId,
    volumeId,
    generation,
    source,
    readOnly,
    sizeBytes,
    qos: {},
    isTls: false,
    allowedHosts,
    isClosing,
    isStale,
    connection: connectionTo(advertisedHost ?? port.address, service, nqn, namespaceUuid(volumeId), keys),
  };
}

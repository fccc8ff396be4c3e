import { volumeSerial } from '../../devices/volume-serial.ts';
import type { ExportSource, LiveExport } from '../target.ts';
import { readBacking } from './backing.ts';
import { connectionTo } from './connection-info.ts';
import { hostKeysOf } from './host-keys.ts';
import type { LivePort, LiveSubsystem, LiveTarget } from './live-target.ts';
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
  /** The identity of what was there when it was made. */
  readonly identity: string;
  /** Somebody else has changed what it is. */
  readonly isAltered: boolean;
  readonly port: LivePort;
}

/** A subsystem of ours that nobody reaches is half of an export, and none. */
export function findExports(live: LiveTarget): FoundExport[] {
  const found: FoundExport[] = [];
  for (const subsystem of live.subsystems) {
    const named = parseNqn(subsystem.nqn);
    const port = live.ports.find(({ subsystems }) => subsystems.includes(subsystem.nqn));
    if (named !== null && port !== undefined) found.push(foundOf(named, subsystem, port));
  }
  return found;
}

function foundOf(named: NamedSubsystem, subsystem: LiveSubsystem, port: LivePort): FoundExport {
  const { nqn, hosts, namespaces } = subsystem;
  const [namespace] = namespaces;
  const isOurs =
    !subsystem.allowsAnyHost &&
    namespaces.length === 1 &&
    subsystem.serial === volumeSerial(named.volumeId) &&
    namespace?.uuid === namespaceUuid(named.volumeId);
  return {
    ...named,
    nqn,
    source: { kind: 'file', path: namespace?.devicePath ?? '' },
    readOnly: false,
    allowedHosts: hosts,
    isClosing: namespace?.isEnabled !== true,
    identity: namespace?.nguid ?? '',
    isAltered: !isOurs,
    port,
  };
}

/** Adds what is to be asked of the file or device, and how hosts get there. */
export async function describe(
  found: FoundExport,
  root: string,
  advertisedHost: string | undefined,
): Promise<LiveExport> {
  const { exportId, volumeId, generation, source, readOnly, allowedHosts, isClosing, port, nqn } = found;
  const backing = source.kind === 'file' && source.path !== '' ? await readBacking(source.path) : null;
  const service = Number(port.service);
  const keys = await hostKeysOf(root, allowedHosts);
  return {
    exportId,
    volumeId,
    generation,
    source,
    readOnly,
    sizeBytes: backing?.sizeBytes ?? 0n,
    qos: {},
    isTls: false,
    allowedHosts,
    isClosing,
    isStale: found.isAltered || backing?.identity !== found.identity,
    connection: connectionTo(advertisedHost ?? port.address, service, nqn, namespaceUuid(volumeId), keys),
  };
}

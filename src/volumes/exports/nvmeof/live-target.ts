import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { attributesOf } from '../../devices/attributes.ts';

/** More than a machine can have in use; a folder with more is not configfs. */
const ENTRIES_MAX = 65_536;

/** What the kernel's target has now, read from its configfs (Documentation/nvme, drivers/nvme/target/configfs.c). */
export interface LiveTarget {
  readonly subsystems: readonly LiveSubsystem[];
  readonly ports: readonly LivePort[];
  /** All that are known, allowed anywhere or not. */
  readonly hosts: readonly string[];
}

export interface LiveSubsystem {
  readonly nqn: string;
  readonly allowsAnyHost: boolean;
  readonly serial: string;
  readonly hosts: readonly string[];
  readonly namespaces: readonly LiveNamespace[];
}

export interface LiveNamespace {
  readonly id: string;
  readonly devicePath: string;
  readonly uuid: string;
  /** Zeros when it was never set. */
  readonly nguid: string;
  readonly isEnabled: boolean;
}

export interface LivePort {
  readonly id: string;
  readonly transport: string;
  readonly family: string;
  readonly address: string;
  readonly service: string;
  /** The subsystems that are reached here. */
  readonly subsystems: readonly string[];
}

/**
 * Reads everything below `root`, which is `/sys/kernel/config/nvmet` in earnest. What goes away while it is read is left
 * out, or read as far as it is there.
 *
 * @throws HoldfastError `unavailable` when the kernel's target is not loaded.
 */
export async function readTarget(root: string, signal: AbortSignal): Promise<LiveTarget> {
  if (signal.aborted)
    throw new HoldfastError('unavailable', 'The deadline had passed before the NVMe target was read.');
  const nqns = await readdir(join(root, 'subsystems')).catch((error: unknown) => {
    const sentence = `The NVMe target of the kernel is not there (${root}); load the modules nvmet and nvmet-tcp.`;
    throw new HoldfastError('unavailable', sentence, { reason: 'not_loaded' }, error);
  });
  const ports = await names(join(root, 'ports'));
  const read = {
    subsystems: await inTurn(bounded(nqns), signal, (nqn) => readSubsystem(join(root, 'subsystems', nqn), nqn, signal)),
    ports: await inTurn(ports, signal, (id) => readPort(join(root, 'ports', id), id, signal)),
    hosts: await names(join(root, 'hosts')),
  };
  // Attributes are empty after that.
  if (signal.aborted) throw late();
  return read;
}

async function readSubsystem(folder: string, nqn: string, signal: AbortSignal): Promise<LiveSubsystem> {
  const text = attributesIn(folder, signal);
  const [allowsAny, serial, hosts, namespaces] = await Promise.all([
    text('attr_allow_any_host'),
    text('attr_serial'),
    names(join(folder, 'allowed_hosts')),
    names(join(folder, 'namespaces')),
  ]);
  return {
    nqn,
    allowsAnyHost: allowsAny === '1',
    serial,
    hosts,
    namespaces: await Promise.all(namespaces.map((id) => readNamespace(join(folder, 'namespaces', id), id, signal))),
  };
}

async function readNamespace(folder: string, id: string, signal: AbortSignal): Promise<LiveNamespace> {
  const attributes = ['device_path', 'device_uuid', 'device_nguid', 'enable'] as const;
  const [path, uuid, nguid, enable] = await Promise.all(attributes.map(attributesIn(folder, signal)));
  // The kernel writes what is not set like this.
  const devicePath = path === undefined || path === '(null)' ? '' : path;
  return { id, devicePath, uuid: uuid ?? '', nguid: nguid ?? '', isEnabled: enable === '1' };
}

async function readPort(folder: string, id: string, signal: AbortSignal): Promise<LivePort> {
  const text = attributesIn(folder, signal);
  const [transport, family, address, service, subsystems] = await Promise.all([
    text('addr_trtype'),
    text('addr_adrfam'),
    text('addr_traddr'),
    text('addr_trsvcid'),
    names(join(folder, 'subsystems')),
  ]);
  return { id, transport, family, address, service, subsystems };
}

/** Empty for what is not there. */
function attributesIn(folder: string, signal: AbortSignal): (attribute: string) => Promise<string> {
  const { text } = attributesOf(folder, signal);
  return async (attribute) => (await text(attribute)) ?? '';
}

function late(): HoldfastError {
  return new HoldfastError('unavailable', 'The NVMe target was not read in time.');
}

async function inTurn<T>(
  items: readonly string[],
  signal: AbortSignal,
  read: (item: string) => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  for (const item of items) {
    if (signal.aborted) throw late();
    results.push(await read(item));
  }
  return results;
}

async function names(folder: string): Promise<string[]> {
  return bounded(await readdir(folder).catch(() => []));
}

function bounded(entries: string[]): string[] {
  if (entries.length <= ENTRIES_MAX) return entries.sort();
  throw new HoldfastError('backend', 'The NVMe target has more entries than can be.');
}

import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../../kernel/errors/errors.ts';

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
  return {
    subsystems: await inTurn(bounded(nqns), signal, (nqn) => readSubsystem(join(root, 'subsystems', nqn), nqn)),
    ports: await inTurn(ports, signal, (id) => readPort(join(root, 'ports', id), id)),
    hosts: await names(join(root, 'hosts')),
  };
}

async function readSubsystem(folder: string, nqn: string): Promise<LiveSubsystem> {
  const namespaces = await names(join(folder, 'namespaces'));
  return {
    nqn,
    allowsAnyHost: (await text(join(folder, 'attr_allow_any_host'))) === '1',
    serial: await text(join(folder, 'attr_serial')),
    hosts: await names(join(folder, 'allowed_hosts')),
    namespaces: await Promise.all(namespaces.map((id) => readNamespace(join(folder, 'namespaces', id), id))),
  };
}

async function readNamespace(folder: string, id: string): Promise<LiveNamespace> {
  const devicePath = await text(join(folder, 'device_path'));
  // The kernel writes what is not set like this.
  const isSet = devicePath !== '(null)';
  const uuid = await text(join(folder, 'device_uuid'));
  return { id, devicePath: isSet ? devicePath : '', uuid, isEnabled: (await text(join(folder, 'enable'))) === '1' };
}

async function readPort(folder: string, id: string): Promise<LivePort> {
  return {
    id,
    transport: await text(join(folder, 'addr_trtype')),
    family: await text(join(folder, 'addr_adrfam')),
    address: await text(join(folder, 'addr_traddr')),
    service: await text(join(folder, 'addr_trsvcid')),
    subsystems: await names(join(folder, 'subsystems')),
  };
}

async function inTurn<T>(
  items: readonly string[],
  signal: AbortSignal,
  read: (item: string) => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  for (const item of items) {
    if (signal.aborted) throw new HoldfastError('unavailable', 'The NVMe target was not read in time.');
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

async function text(file: string): Promise<string> {
  return (await readFile(file, 'utf8').catch(() => '')).trim();
}

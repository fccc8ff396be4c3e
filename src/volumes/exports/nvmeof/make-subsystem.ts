import { isIPv6 } from 'node:net';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { volumeSerial } from '../../devices/volume-serial.ts';
import { replaced } from '../decide-add.ts';
import type { ExportSpec } from '../target.ts';
import type { HeldDevice } from './block-device.ts';
import { carryOut, kernelCode } from './configfs.ts';
import { checkHostKeys } from './host-keys.ts';
import { type LiveTarget, readTarget } from './live-target.ts';
import { buildSteps, leftoverPortSteps, listenSteps, teardownSteps } from './plan.ts';
import { listMapped, unmap } from './rbd-mapped.ts';
import { holdDevice, readServed } from './source-device.ts';
import { type NamedSubsystem, type PortRange, type Subsystem, namespaceUuid, parseNqn } from './subsystem.ts';

const CLEANUP_TIMEOUT_MS = 5_000;

/** Where subsystems are made, and where they listen. */
export interface Place {
  readonly root: string;
  readonly address: string;
  readonly ports: PortRange;
}

/** Makes an export that is not there, after taking away what an earlier attempt may have left. */
export async function makeSubsystem(
  place: Place,
  spec: ExportSpec,
  before: LiveTarget,
  signal: AbortSignal,
): Promise<void> {
  const { root } = place;
  const live = await takeAway(place, spec.exportId, before, signal);
  const isKept = (nqn: string): boolean => spec.dhchap === undefined || isUsed(nqn, live);
  const known = spec.allowedHosts.filter((nqn) => live.hosts.includes(nqn) && isKept(nqn));
  await checkHostKeys(root, { ...spec, allowedHosts: known });
  try {
    await using device = await holdDevice(spec.exportId, spec.source, signal);
    const wanted = subsystemFor(spec, device, place, live);
    await build(place, wanted, live, signal);
    // Between the look at the file and its opening by the kernel another one may have taken its place.
    const now = await readServed(wanted.devicePath, wanted.nguid, signal);
    if (now.identity !== wanted.nguid) throw replaced(spec.exportId);
  } catch (error) {
    // What is left over then is found by the next attempt.
    await cleanUp(place, spec.exportId).catch(() => undefined);
    throw error;
  }
}

async function cleanUp(place: Place, exportId: string): Promise<void> {
  const signal = AbortSignal.timeout(CLEANUP_TIMEOUT_MS);
  await takeAway(place, exportId, await readTarget(place.root, signal), signal);
}

/**
 * Takes down whatever there is of an export, connected hosts or not, and verifies that it is gone.
 *
 * @returns what is live afterwards.
 */
export async function takeAway(
  { root, ports }: Place,
  exportId: string,
  live: LiveTarget,
  signal: AbortSignal,
): Promise<LiveTarget> {
  let now = live;
  for (const { nqn } of tracesOf(live, exportId)) {
    await carryOut(root, teardownSteps(nqn, now), signal);
    now = await readTarget(root, signal);
  }
  const leftover = leftoverPortSteps(now, ports);
  if (leftover.length > 0) {
    await carryOut(root, leftover, signal);
    now = await readTarget(root, signal);
  }
  if (tracesOf(now, exportId).length > 0) {
    throw new HoldfastError('backend', `The export ${exportId} is still there although it was removed.`);
  }
  await unmapUnused(exportId, now, signal);
  return now;
}

/** Unmaps images of ours that no namespace has: of this export, which must succeed, and of others that were cut off. */
async function unmapUnused(exportId: string, live: LiveTarget, signal: AbortSignal): Promise<void> {
  const used = new Set(live.subsystems.flatMap(({ namespaces }) => namespaces.map(({ devicePath }) => devicePath)));
  for (const mapped of await listMapped(signal)) {
    if (used.has(mapped.path)) continue;
    await unmap(mapped, signal).catch((error: unknown) => {
      if (mapped.exportId === exportId) throw error;
    });
  }
}

/** The subsystems of this export, whole or half. */
export function tracesOf(live: LiveTarget, exportId: string): readonly (NamedSubsystem & { readonly nqn: string })[] {
  return live.subsystems.flatMap(({ nqn }) => {
    const named = parseNqn(nqn);
    return named?.exportId === exportId ? [{ ...named, nqn }] : [];
  });
}

async function build(place: Place, wanted: Subsystem, live: LiveTarget, signal: AbortSignal): Promise<void> {
  try {
    await carryOut(place.root, buildSteps(wanted, live), signal);
  } catch (error) {
    if (kernelCode(error) !== 'EADDRINUSE') throw error;
    await listenElsewhere(place, wanted, error, signal);
  }
}

/** Somebody else listens on the port that was chosen; the others are tried in their order. */
async function listenElsewhere(
  { root, ports }: Place,
  wanted: Subsystem,
  inUse: unknown,
  signal: AbortSignal,
): Promise<void> {
  for (let service = ports.first; service <= ports.last; service++) {
    if (service === wanted.address.service) continue;
    const before = await readTarget(root, signal);
    await carryOut(root, leftoverPortSteps(before, ports), signal);
    const live = { ...before, ports: before.ports.filter(({ subsystems }) => subsystems.length > 0) };
    if (!isFree(service, live)) continue;
    try {
      return await carryOut(root, listenSteps({ ...wanted, address: { ...wanted.address, service } }, live), signal);
    } catch (error) {
      if (kernelCode(error) !== 'EADDRINUSE') throw error;
    }
  }
  throw noPort(ports, inUse);
}

function subsystemFor(spec: ExportSpec, device: HeldDevice, { address, ports }: Place, live: LiveTarget): Subsystem {
  const { exportId, volumeId, generation, allowedHosts, dhchap } = spec;
  const service = portFor(spec, ports, live);
  return {
    exportId,
    volumeId,
    generation,
    serial: volumeSerial(volumeId),
    uuid: namespaceUuid(volumeId),
    nguid: device.identity,
    devicePath: device.path,
    hosts: allowedHosts.map((nqn) => ({ nqn, auth: dhchap ?? null })),
    address: { family: isIPv6(address) ? 'ipv6' : 'ipv4', address, service },
  };
}

/** That of before, where hosts look for it again, or the first that is free. */
function portFor({ preferredPort = 0 }: ExportSpec, ports: PortRange, live: LiveTarget): number {
  const { first, last } = ports;
  if (preferredPort >= first && preferredPort <= last && isFree(preferredPort, live)) return preferredPort;
  for (let service = first; service <= last; service++) if (isFree(service, live)) return service;
  throw noPort(ports);
}

function isFree(service: number, live: LiveTarget): boolean {
  return live.ports.every(
    (port) => port.subsystems.length === 0 || (port.id !== String(service) && port.service !== String(service)),
  );
}

function isUsed(host: string, live: LiveTarget): boolean {
  return live.subsystems.some(({ hosts }) => hosts.includes(host));
}

function noPort({ first, last }: PortRange, cause?: unknown): HoldfastError {
  const sentence = `None of the ports ${first} to ${last} is free for another NVMe export.`;
  return new HoldfastError('unavailable', sentence, { reason: 'no_port' }, cause);
}

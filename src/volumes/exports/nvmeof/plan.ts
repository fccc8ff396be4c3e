import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { LiveTarget } from './live-target.ts';
import { type AllowedHost, type PortRange, type Subsystem, checkSubsystem, nqnOf } from './subsystem.ts';

/**
 * One change in configfs, by paths below its root. Whoever carries a plan out does so in its order, one step at a time, and
 * stops at the first that fails; then the plan is made anew from what is live.
 */
export type ConfigStep =
  | { readonly do: 'mkdir' | 'rmdir' | 'unlink'; readonly path: string }
  | { readonly do: 'write'; readonly path: string; readonly text: string; readonly isSecret?: true }
  /** `target` is below the root as well. */
  | { readonly do: 'link'; readonly path: string; readonly target: string };

const MODEL = 'Holdfast volume';
const NAMESPACE = 'namespaces/1';
const HASH = 'hmac(sha256)';
const DH_GROUP = 'ffdhe2048';

/**
 * What makes a subsystem. It can be reached only with the last step, when all else is in place: no host ever sees a half.
 *
 * @throws HoldfastError `conflict` when a subsystem of that name is there, whole or half: that is taken down first.
 */
export function buildSteps(wanted: Subsystem, live: LiveTarget): readonly ConfigStep[] {
  checkSubsystem(wanted);
  const nqn = nqnOf(wanted);
  if (live.subsystems.some((each) => each.nqn === nqn)) {
    const sentence = `The NVMe subsystem ${nqn} is there already.`;
    throw new HoldfastError('conflict', sentence, { reason: 'other_export', export_id: wanted.exportId });
  }
  const subsystem = `subsystems/${nqn}`;
  const namespace = `${subsystem}/${NAMESPACE}`;
  return [
    mkdir(subsystem),
    write(`${subsystem}/attr_allow_any_host`, '0'),
    write(`${subsystem}/attr_serial`, wanted.serial),
    write(`${subsystem}/attr_model`, MODEL),
    ...wanted.hosts.flatMap((host) => hostSteps(host, subsystem, live)),
    mkdir(namespace),
    write(`${namespace}/device_path`, wanted.devicePath),
    write(`${namespace}/device_uuid`, wanted.uuid),
    write(`${namespace}/device_nguid`, wanted.nguid),
    write(`${namespace}/enable`, '1'),
    ...listenSteps(wanted, live),
  ];
}

/**
 * What lets hosts in, by a port for this subsystem alone whose id is its TCP port: that is how one knows who is connected to
 * what (see `connections.ts`), and whose leftovers they are. What was cut off while it was made listens nowhere, and is used.
 */
export function listenSteps(wanted: Subsystem, live: LiveTarget): readonly ConfigStep[] {
  const { family, address, service } = wanted.address;
  const nqn = nqnOf(wanted);
  const path = `ports/${service}`;
  const isLeft = live.ports.some(({ id }) => id === String(service));
  return [
    ...(isLeft ? [] : [mkdir(path)]),
    write(`${path}/addr_adrfam`, family),
    write(`${path}/addr_trtype`, 'tcp'),
    write(`${path}/addr_traddr`, address),
    write(`${path}/addr_trsvcid`, String(service)),
    link(`${path}/subsystems/${nqn}`, `subsystems/${nqn}`),
  ];
}

/**
 * What takes a subsystem down, from what is live of it, so that a half of one goes as well: first it can no longer be
 * reached, which drops connected hosts, then its namespaces let go of their devices. Hosts and ports go with the last
 * subsystem that used them, and the subsystem last, so that a repeat finds by its name what is left. Empty when there is
 * nothing.
 */
export function teardownSteps(nqn: string, live: LiveTarget): readonly ConfigStep[] {
  const subsystem = live.subsystems.find((each) => each.nqn === nqn);
  const ports = live.ports.filter(({ subsystems }) => subsystems.includes(nqn));
  if (subsystem === undefined) return [];
  const path = `subsystems/${nqn}`;
  const others = live.subsystems.filter((each) => each !== subsystem);
  const isUsed = (host: string): boolean => others.some(({ hosts }) => hosts.includes(host));
  return [
    ...ports.flatMap(({ id, subsystems }) => [
      unlink(`ports/${id}/subsystems/${nqn}`),
      ...(subsystems.length === 1 ? [rmdir(`ports/${id}`)] : []),
    ]),
    ...fenceSteps(nqn, live),
    ...subsystem.namespaces.map(({ id }) => rmdir(`${path}/namespaces/${id}`)),
    ...subsystem.hosts.flatMap((host) => [
      unlink(`${path}/allowed_hosts/${host}`),
      ...(isUsed(host) ? [] : [rmdir(`hosts/${host}`)]),
    ]),
    rmdir(path),
  ];
}

/** What takes a subsystem's namespaces away from connected hosts, who stay connected: from then on nothing is written. */
export function fenceSteps(nqn: string, live: LiveTarget): readonly ConfigStep[] {
  const namespaces = live.subsystems.find((each) => each.nqn === nqn)?.namespaces ?? [];
  return namespaces
    .filter(({ isEnabled }) => isEnabled)
    .map(({ id }) => write(`subsystems/${nqn}/namespaces/${id}/enable`, '0'));
}

/** What takes away ports that a build or teardown that was cut off has left: within the range that is this target's own. */
export function leftoverPortSteps(live: LiveTarget, { first, last }: PortRange): readonly ConfigStep[] {
  return live.ports
    .filter(({ id, subsystems }) => subsystems.length === 0 && Number(id) >= first && Number(id) <= last)
    .map(({ id }) => rmdir(`ports/${id}`));
}

/** What tells connected hosts that a device or file has another size. */
export function revalidateSteps(nqn: string): readonly ConfigStep[] {
  return [write(`subsystems/${nqn}/${NAMESPACE}/revalidate_size`, '1')];
}

function hostSteps({ nqn, auth }: AllowedHost, subsystem: string, live: LiveTarget): ConfigStep[] {
  const host = `hosts/${nqn}`;
  const steps = live.hosts.includes(nqn) ? [] : [mkdir(host)];
  // Keys count for connections made later, so they are there before the host is let in.
  if (auth !== null) {
    steps.push(write(`${host}/dhchap_hash`, HASH), write(`${host}/dhchap_dhgroup`, DH_GROUP));
    steps.push(secret(`${host}/dhchap_key`, auth.key));
    if (auth.controllerKey !== undefined) steps.push(secret(`${host}/dhchap_ctrl_key`, auth.controllerKey));
  }
  return [...steps, link(`${subsystem}/allowed_hosts/${nqn}`, host)];
}

const mkdir = (path: string): ConfigStep => ({ do: 'mkdir', path });
const rmdir = (path: string): ConfigStep => ({ do: 'rmdir', path });
const unlink = (path: string): ConfigStep => ({ do: 'unlink', path });
const write = (path: string, text: string): ConfigStep => ({ do: 'write', path, text });
const secret = (path: string, text: string): ConfigStep => ({ do: 'write', path, text, isSecret: true });
const link = (path: string, target: string): ConfigStep => ({ do: 'link', path, target });

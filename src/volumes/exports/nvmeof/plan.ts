import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { LivePort, LiveTarget } from './live-target.ts';
import { type AllowedHost, type PortAddress, type Subsystem, checkSubsystem, nqnOf } from './subsystem.ts';

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
  const port = choosePort(wanted.address, live.ports);
  return [
    mkdir(subsystem),
    write(`${subsystem}/attr_allow_any_host`, '0'),
    write(`${subsystem}/attr_serial`, wanted.serial),
    write(`${subsystem}/attr_model`, MODEL),
    ...wanted.hosts.flatMap((host) => hostSteps(host, subsystem, live)),
    mkdir(namespace),
    write(`${namespace}/device_path`, wanted.devicePath),
    write(`${namespace}/device_uuid`, wanted.uuid),
    write(`${namespace}/enable`, '1'),
    ...port.steps,
    link(`${port.path}/subsystems/${nqn}`, subsystem),
  ];
}

/**
 * What takes a subsystem down, from what is live of it, so that a half of one goes as well: first it can no longer be
 * reached, which drops connected hosts, then its namespaces let go of their devices, then it goes itself. Hosts and ports
 * go with the last subsystem that used them. Empty when there is nothing.
 */
export function teardownSteps(nqn: string, live: LiveTarget): readonly ConfigStep[] {
  const subsystem = live.subsystems.find((each) => each.nqn === nqn);
  const ports = live.ports.filter(({ subsystems }) => subsystems.includes(nqn));
  if (subsystem === undefined) return [];
  const path = `subsystems/${nqn}`;
  const others = live.subsystems.filter((each) => each !== subsystem);
  const unusedHosts = subsystem.hosts.filter((host) => !others.some(({ hosts }) => hosts.includes(host)));
  const unusedPorts = ports.filter(({ subsystems }) => subsystems.length === 1);
  return [
    ...ports.map(({ id }) => unlink(`ports/${id}/subsystems/${nqn}`)),
    ...subsystem.namespaces.flatMap(({ id, isEnabled }) => [
      ...(isEnabled ? [write(`${path}/namespaces/${id}/enable`, '0')] : []),
      rmdir(`${path}/namespaces/${id}`),
    ]),
    ...subsystem.hosts.map((host) => unlink(`${path}/allowed_hosts/${host}`)),
    rmdir(path),
    ...unusedPorts.map(({ id }) => rmdir(`ports/${id}`)),
    ...unusedHosts.map((host) => rmdir(`hosts/${host}`)),
  ];
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

/** A port takes any number of subsystems, and an address can be listened on once. */
function choosePort(
  wanted: PortAddress,
  ports: readonly LivePort[],
): { readonly path: string; readonly steps: readonly ConfigStep[] } {
  const same = ports.find((port) => isAt(port, wanted));
  if (same !== undefined && same.subsystems.length > 0) return { path: `ports/${same.id}`, steps: [] };
  // What was cut off while it was made listens nowhere; its address can still be written.
  const unused = same ?? ports.find((port) => port.subsystems.length === 0 && isIncomplete(port));
  if (unused !== undefined) return { path: `ports/${unused.id}`, steps: addressSteps(`ports/${unused.id}`, wanted) };
  const taken = new Set(ports.map(({ id }) => id));
  let id = 1;
  while (taken.has(String(id))) id += 1;
  const path = `ports/${id}`;
  return { path, steps: [mkdir(path), ...addressSteps(path, wanted)] };
}

function isAt({ transport, address, service }: LivePort, wanted: PortAddress): boolean {
  return transport === 'tcp' && address === wanted.address && service === String(wanted.service);
}

function isIncomplete({ transport, address, service }: LivePort): boolean {
  return transport === '' || address === '' || service === '';
}

function addressSteps(path: string, { family, address, service }: PortAddress): ConfigStep[] {
  return [
    write(`${path}/addr_adrfam`, family),
    write(`${path}/addr_trtype`, 'tcp'),
    write(`${path}/addr_traddr`, address),
    write(`${path}/addr_trsvcid`, String(service)),
  ];
}

const mkdir = (path: string): ConfigStep => ({ do: 'mkdir', path });
const rmdir = (path: string): ConfigStep => ({ do: 'rmdir', path });
const unlink = (path: string): ConfigStep => ({ do: 'unlink', path });
const write = (path: string, text: string): ConfigStep => ({ do: 'write', path, text });
const secret = (path: string, text: string): ConfigStep => ({ do: 'write', path, text, isSecret: true });
const link = (path: string, target: string): ConfigStep => ({ do: 'link', path, target });

import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { Agent, type WorkContext } from './hosts/agent/agent.ts';
import type { AgentLink } from './hosts/agent/link.ts';
import type { HostSession } from './hosts/work.ts';
import type { Values } from './kernel/config/settings.ts';
import { HoldfastError } from './kernel/errors/errors.ts';
import type { Log } from './kernel/telemetry/log.ts';
import { version } from './version.ts';
import { createDeviceLinks } from './volumes/devices/device-mapper/device-links.ts';
import { HostDevices } from './volumes/devices/host-devices.ts';
import { DeviceWatch } from './volumes/devices/watch.ts';
import { exportExecutors } from './volumes/exports/executors.ts';
import { createNbdTarget } from './volumes/exports/nbd/nbd.ts';
import { createNvmeofTarget } from './volumes/exports/nvmeof/nvmeof.ts';
import { ExportObserver } from './volumes/exports/observer.ts';
import type { ExportTarget } from './volumes/exports/target.ts';
import type { NodeVolume } from './volumes/node-volumes.ts';
import type { ReleaseDeviceWork } from './volumes/devices/release.ts';
import type { ExportLossReport } from './volumes/exports/work.ts';

const observePeriodMs = 10_000;
const observeDeadlineMs = 5_000;
const linkTimeoutMs = 20_000;
const portsOfExports = 100;

/** The agent of this machine, at work. */
export interface RunningAgent {
  readonly nodeId: string;
  /** Resolves when it speaks for this machine, or has learnt that it cannot yet; it goes on trying. */
  readonly tried: Promise<void>;
  /** Resolves when it speaks for this machine the first time. */
  readonly joined: Promise<HostSession>;
  /** Says that devices are watched; throws the last problem when they cannot be read. */
  monitor(): Promise<string>;
  /** Ends what it does, and every export that lives in its child processes. */
  stop(): Promise<void>;
}

/** The name of this machine as a host. */
export function nodeIdOf(values: Values): string {
  return values.nodeId ?? hostname();
}

/** Puts an agent together with what it can do on this machine, and begins. */
export async function startAgent(
  values: Values,
  link: AgentLink,
  log: Log,
  wrapTarget: WrapTarget = (target) => target,
): Promise<RunningAgent> {
  const nodeId = nodeIdOf(values);
  // Both tell the agent what they see, and the agent calls both: it is there before either has seen anything.
  const tell: Tell = (section, data) => agent.tell(section, data);
  const [exporting, devices] = await Promise.all([
    createExporting(values, log, tell, wrapTarget),
    createDevices(log, tell),
  ]);
  const tried = Promise.withResolvers<void>();
  const joined = Promise.withResolvers<HostSession>();
  const agent = new Agent({
    link,
    registration: {
      name: nodeId,
      instance: randomUUID(),
      address: values.exportAdvertise ?? values.exportAddress,
      version,
      capabilities: { transports: exporting.capabilities, devices: true, links: devices.hasLinks },
    },
    executors: { ...exporting.executors, ...devices.executors },
    onWanted: ({ volumes }) => devices.wanted((volumes ?? []) as readonly NodeVolume[]),
    onSession: (session) => {
      tried.resolve();
      if (session !== null) joined.resolve(session);
    },
    onError: (error, about) => {
      tried.resolve();
      log.warn({ ...reasonOf(error), node: nodeId }, `agent: ${about} failed, trying again until it works`);
    },
    onRecovered: () => log.info({ node: nodeId }, 'agent: all is well again'),
  });
  const watch = new DeviceWatch({
    sysBlock: '/sys/block',
    byId: '/dev/disk/by-id',
    pollIntervalMs: values.devicePollIntervalMs,
    deadlineMs: observeDeadlineMs,
    onChanges: (_changes, seen) => devices.observed(seen),
    onProblem: (error) => log.warn({ err: error, node: nodeId }, 'devices cannot be read'),
  });
  agent.start();
  exporting.look();
  return {
    nodeId,
    tried: tried.promise,
    joined: joined.promise,
    monitor: async () => {
      if (watch.problem !== null) throw watch.problem;
      const wakeup = watch.hasWakeup ? 'woken by /dev/disk/by-id, ' : '';
      return `${watch.devices.length} devices of ${nodeId}, ${wakeup}read every ${values.devicePollIntervalMs} ms`;
    },
    stop: async () => {
      await watch.close();
      await exporting.stopLooking();
      await agent.stop();
      await exporting.close();
    },
  };
}

type Tell = (section: string, data: unknown) => void;
/** Puts something between the agent and what exports: tests make it fail, hang, or end the process. */
export type WrapTarget = (target: ExportTarget) => ExportTarget;

/** What exports volumes here, and who looks at it. */
async function createExporting(values: Values, log: Log, tell: Tell, wrapTarget: WrapTarget) {
  const { exportAddress: address, exportAdvertise, exportPortFirst: first } = values;
  const advertised = exportAdvertise === undefined ? {} : { advertisedHost: exportAdvertise };
  let losses = 0;
  const nbd = createNbdTarget({
    host: address,
    ...advertised,
    ports: { first, last: first + portsOfExports - 1 },
    log: (message) => log.warn({ transport: 'nbd' }, message),
    onLost: ({ reason }) => {
      log.warn({ transport: 'nbd', reason }, 'exports were lost');
      const report: ExportLossReport = { count: ++losses, reason };
      tell('export-losses', report);
      observer.look();
    },
  });
  const nvmeof = createNvmeofTarget({ address, ...advertised });
  const targets = await usable({ nbd: wrapTarget(nbd), nvmeof: wrapTarget(nvmeof) }, log);
  const observer = new ExportObserver({
    targets,
    periodMs: observePeriodMs,
    deadlineMs: observeDeadlineMs,
    tell: (report) => tell('exports', report),
  });
  const look = () => observer.look();
  return {
    capabilities: capabilitiesOf(targets),
    executors: exportExecutors(targets, look),
    look,
    stopLooking: () => observer.close(),
    close: async () => {
      await nbd.close();
      await nvmeof.close();
    },
  };
}

/** What joins the devices of this machine with its volumes. */
async function createDevices(log: Log, tell: Tell) {
  const links = createDeviceLinks();
  const health = await links.linkHealth(AbortSignal.timeout(observeDeadlineMs));
  if (!health.isAvailable) log.info({ reason: health.detail }, 'volumes get no persistent names here');
  const devices = new HostDevices({
    links: health.isAvailable ? links : null,
    timeoutMs: linkTimeoutMs,
    tell,
    onProblem: (error) => log.warn({ err: error }, 'persistent names could not be kept'),
  });
  return {
    hasLinks: health.isAvailable,
    observed: devices.observed.bind(devices),
    wanted: devices.wanted.bind(devices),
    executors: {
      'device.release': (context: WorkContext, input: unknown) =>
        devices.release((input as ReleaseDeviceWork).volumeId, context.signal),
    },
  };
}

/** Of an error of the domain the sentence says it all. */
function reasonOf(error: unknown): { readonly reason: string } | { readonly err: unknown } {
  return error instanceof HoldfastError ? { reason: error.message } : { err: error };
}

type Targets = Readonly<Record<string, ExportTarget>>;

/** What this machine lacks is told once, and is not offered. */
async function usable<T extends Targets>(targets: T, log: Log): Promise<Partial<T>> {
  const found = await Promise.all(
    Object.entries(targets).map(async ([transport, target]) => {
      try {
        await target.health(AbortSignal.timeout(observeDeadlineMs));
        return [[transport, target]] as const;
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        log.info({ transport, reason }, 'volumes cannot be exported over this transport here');
        return [];
      }
    }),
  );
  return Object.fromEntries(found.flat()) as Partial<T>;
}

function capabilitiesOf(targets: Readonly<Partial<Record<string, ExportTarget>>>) {
  return Object.fromEntries(Object.entries(targets).map(([transport, target]) => [transport, target!.capabilities]));
}

import { hostname } from 'node:os';
import { Agent } from './hosts/agent/agent.ts';
import type { AgentLink } from './hosts/agent/link.ts';
import type { HostSession } from './hosts/work.ts';
import type { Values } from './kernel/config/settings.ts';
import type { Log } from './kernel/telemetry/log.ts';
import { version } from './version.ts';
import { devicesReport } from './volumes/devices/report.ts';
import { DeviceWatch } from './volumes/devices/watch.ts';
import { exportExecutors } from './volumes/exports/executors.ts';
import { createNbdTarget } from './volumes/exports/nbd/nbd.ts';
import { ExportObserver } from './volumes/exports/observer.ts';
import type { ExportTarget } from './volumes/exports/target.ts';
import type { ExportLossReport } from './volumes/exports/work.ts';

const observePeriodMs = 10_000;
const observeDeadlineMs = 5_000;
const portsOfExports = 100;

/** The agent of this machine, at work. */
export interface RunningAgent {
  readonly nodeId: string;
  /** Resolves when it speaks for this machine the first time. */
  readonly joined: Promise<HostSession>;
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
  wrapTarget: (target: ExportTarget) => ExportTarget = (target) => target,
): Promise<RunningAgent> {
  const nodeId = nodeIdOf(values);
  const losses: ExportLossReport = { count: 0, reason: '' };
  const nbd = wrapTarget(
    createNbdTarget({
      host: values.exportAddress,
      ...(values.exportAdvertise === undefined ? {} : { advertisedHost: values.exportAdvertise }),
      ports: { first: values.exportPortFirst, last: values.exportPortFirst + portsOfExports - 1 },
      log: (message) => log.warn({ transport: 'nbd' }, message),
      onLost: ({ reason }) => {
        log.warn({ transport: 'nbd', reason }, 'exports were lost');
        losses.count++;
        agent.tell('export-losses', { ...losses, reason });
        observer.look();
      },
    }),
  );
  const targets = await usable({ nbd }, log);
  const observer = new ExportObserver({
    targets,
    periodMs: observePeriodMs,
    deadlineMs: observeDeadlineMs,
    tell: (report) => agent.tell('exports', report),
  });
  const joined = Promise.withResolvers<HostSession>();
  const agent = new Agent({
    link,
    registration: {
      name: nodeId,
      address: values.exportAdvertise ?? values.exportAddress,
      version,
      capabilities: { transports: capabilitiesOf(targets), devices: true },
    },
    executors: exportExecutors(targets, () => observer.look()),
    onSession: (session) => session !== null && joined.resolve(session),
    onError: (error, about) => log.warn({ err: error, node: nodeId }, `agent: ${about}`),
  });
  const watch = new DeviceWatch({
    sysBlock: '/sys/block',
    byId: '/dev/disk/by-id',
    pollIntervalMs: values.devicePollIntervalMs,
    deadlineMs: observeDeadlineMs,
    onChanges: (_changes, devices) => agent.tell('devices', devicesReport(devices)),
    onProblem: (error) => log.warn({ err: error, node: nodeId }, 'devices cannot be read'),
  });
  agent.start();
  observer.look();
  return {
    nodeId,
    joined: joined.promise,
    stop: async () => {
      await watch.close();
      await observer.close();
      await agent.stop();
      await nbd.close();
    },
  };
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

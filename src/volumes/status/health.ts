import type { Static } from 'typebox';
import { type HealthCheck, type PartHealth, checkHealth, within } from '../../kernel/http/health.ts';
import { isoTimeOrNull } from '../../kernel/operations/view.ts';
import type { Store } from '../../kernel/store/store.ts';
import type { BackendRegistry } from '../backends/registry.ts';
import type { statusContract } from './contract.ts';
import { type OpenOperations, countOpen, countVolumes } from './counts.ts';

type Health = Static<typeof statusContract.getHealth.reply>;
type Issue = Health['issues'][number];

/** Watches the devices of this server's machine; throws when it does not work. Gives a sentence. */
export type DeviceMonitor = (signal: AbortSignal) => Promise<string>;

export interface HealthOptions {
  readonly store: Store;
  readonly backends: BackendRegistry;
  readonly timeoutMs: number;
  /** `null` when this server watches no devices. */
  readonly deviceMonitor: DeviceMonitor | null;
}

/** What the health says without the clock and the version of the server. */
export type HealthFound = Omit<Health, 'timestamp' | 'version' | 'uptime_seconds'>;

const cloudstack = 'cloudstack';
const noMonitor = 'No agent on this server watches devices.';

/**
 * Asks every part at once, each within the deadline; a part that hangs says that it gave no answer. What is not configured is
 * `disabled`, never healthy.
 */
export async function findHealth(options: HealthOptions, nowMs: number): Promise<HealthFound> {
  const { store, backends, timeoutMs, deviceMonitor } = options;
  const [{ status, parts }, found] = await Promise.all([
    checkHealth(checksOf(options), timeoutMs),
    within(readQueue(store, nowMs), timeoutMs).catch(() => null),
  ]);
  const backend = parts[backends.defaultName]!;
  const database = parts['database']!;
  const ofCloudStack = parts[cloudstack];
  const monitor = parts['device_monitor'];
  return {
    status,
    database_health: statusOf(database),
    backend_health: backend.status === 'healthy' ? 'healthy' : 'unhealthy',
    cloudstack_health: statusOf(ofCloudStack),
    device_monitor: statusOf(monitor),
    operation_queue: found === null ? null : queueView(found.open),
    issues: found === null ? [] : issuesOf(found),
    details: {
      database: database.detail,
      [backends.defaultName]: backend.detail,
      cloudstack: ofCloudStack?.detail ?? whyMissing(backends),
      device_monitor: deviceMonitor === null ? noMonitor : monitor!.detail,
    },
  };
}

function checksOf({ store, backends, deviceMonitor }: HealthOptions): HealthCheck[] {
  const names = new Set([backends.defaultName, ...(backends.names.includes(cloudstack) ? [cloudstack] : [])]);
  const ofBackends = [...names].map((name) => ({
    name,
    isVital: false,
    check: async (signal: AbortSignal) => (await backends.get(name).health(signal)).detail,
  }));
  const ofStore = { name: 'database', isVital: true, check: async () => (await store.health(), store.description) };
  const ofMonitor = deviceMonitor === null ? [] : [{ name: 'device_monitor', isVital: false, check: deviceMonitor }];
  return [ofStore, ...ofBackends, ...ofMonitor];
}

function statusOf(part: PartHealth | undefined): 'healthy' | 'unhealthy' | 'disabled' {
  if (part === undefined) return 'disabled';
  return part.status === 'healthy' ? 'healthy' : 'unhealthy';
}

/** The sentence of the registry on what is to be set. */
function whyMissing(backends: BackendRegistry): string {
  try {
    return `${backends.get(cloudstack).name} is configured.`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

interface Found {
  readonly open: OpenOperations;
  readonly inError: number;
}

function readQueue(store: Store, nowMs: number): Promise<Found> {
  return store.read(async (reader) => {
    const open = await countOpen(reader, nowMs);
    return { open, inError: (await countVolumes(reader)).byState['error'] ?? 0 };
  });
}

function queueView({ pending, executing, oldestMs }: OpenOperations): Health['operation_queue'] {
  return { pending, executing, oldest_created_at: isoTimeOrNull(oldestMs) };
}

function issuesOf({ open, inError }: Found): Issue[] {
  const issues: readonly Issue[] = [
    { type: 'stale_operations', count: open.stale, detail: 'Operations that have been open for more than 30 minutes.' },
    { type: 'volumes_in_error', count: inError, detail: 'Volumes in error; reconcile or delete them.' },
  ];
  return issues.filter(({ count }) => count > 0);
}

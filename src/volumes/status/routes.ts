import { performance } from 'node:perf_hooks';
import type { Static } from 'typebox';
import type { Endpoint } from '../../kernel/http/contract.ts';
import { Reply, type Route, route } from '../../kernel/http/server.ts';
import type { Clock } from '../../kernel/ids.ts';
import { isoTime } from '../../kernel/operations/view.ts';
import type { Metrics } from '../../kernel/telemetry/metrics.ts';
import { statusContract } from './contract.ts';
import { countOperations, countVolumes, windowMs } from './counts.ts';
import { type HealthOptions, findHealth } from './health.ts';

export interface StatusRouteOptions extends HealthOptions {
  readonly clock: Clock;
  readonly version: string;
  readonly metrics: Pick<Metrics, 'responseTimes'>;
  /** The whole API: which answers count for the response time. */
  readonly endpoints: readonly Endpoint[];
}

/** Health and counts of the server as JSON. */
export function statusRoutes(options: StatusRouteOptions): Route[] {
  const { clock, version } = options;
  const beganAt = performance.now();
  const uptime = () => Math.floor((performance.now() - beganAt) / 1000);
  return [
    route(statusContract.getHealth, async () => {
      const nowMs = clock.nowMs();
      const found = await findHealth(options, nowMs);
      const body = { ...found, timestamp: isoTime(nowMs), version, uptime_seconds: uptime() };
      return new Reply(body, {}, body.status === 'unhealthy' ? 503 : 200);
    }),
    route(statusContract.getMetrics, () => readMetrics(options, clock.nowMs(), uptime())),
  ];
}

async function readMetrics(
  { store, metrics, endpoints }: StatusRouteOptions,
  nowMs: number,
  uptimeSeconds: number,
): Promise<Static<typeof statusContract.getMetrics.reply>> {
  const { operations, volumes } = await store.read(async (reader) => ({
    operations: await countOperations(reader, nowMs),
    volumes: await countVolumes(reader),
  }));
  const { count, seconds } = await metrics.responseTimes(isAnswer(endpoints));
  const { pending = 0, executing = 0, completed = 0, failed = 0 } = operations.byStatus;
  return {
    timestamp: isoTime(nowMs),
    uptime_seconds: uptimeSeconds,
    window_seconds: windowMs / 1000,
    total_operations: sum(operations.byStatus),
    operations_by_type: operations.byType,
    operations_by_status: operations.byStatus,
    pending_operations: pending,
    executing_operations: executing,
    error_rate_percent: ratio(100 * failed, completed + failed),
    average_operation_time_ms: ratio(operations.completedMs, completed),
    total_responses: count,
    average_response_time_ms: ratio(seconds * 1000, count),
    active_volumes: sum(volumes.byState),
    volumes_by_state: volumes.byState,
    volumes_by_backend: volumes.byBackend,
    volumes_in_trash: volumes.inTrash,
    active_attachments: volumes.attachments,
  };
}

/** A stream lasts as long as its client wants, and bytes as long as they are many: neither is a time to respond. */
function isAnswer(endpoints: readonly Endpoint[]): (operation: string) => boolean {
  const answering = endpoints.filter(({ media, requestMedia }) => media === undefined && requestMedia === undefined);
  const ids = new Set(answering.map(({ id }) => id));
  return (operation) => ids.has(operation);
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, each) => total + each, 0);
}

/** Rounded to three digits behind the point; 0 of nothing. */
function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.round((part / whole) * 1000) / 1000;
}

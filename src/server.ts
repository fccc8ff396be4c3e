import type { FastifyInstance } from 'fastify';
import { setTimeout as delay } from 'node:timers/promises';
import { type RunningAgent, nodeIdOf, startAgent } from './agent.ts';
import { createBackends } from './backends.ts';
import { endpoints } from './contract.ts';
import { localLink } from './hosts/agent/local-link.ts';
import { createHostParts } from './hosts/parts.ts';
import { hostReportTopic } from './hosts/topics.ts';
import type { Config } from './kernel/config/config.ts';
import { HoldfastError } from './kernel/errors/errors.ts';
import { EventFollower } from './kernel/events/follower.ts';
import { eventRoutes } from './kernel/events/routes.ts';
import { hasTokens } from './kernel/auth/tokens.ts';
import { createAuthorizer, isLoopbackHost } from './kernel/http/authorizer.ts';
import { type HealthCheck, checkHealth, healthContract } from './kernel/http/health.ts';
import { openApiDocument } from './kernel/http/openapi.ts';
import { Reply, type Route, createHttpServer, route } from './kernel/http/server.ts';
import { SseStreams } from './kernel/http/sse.ts';
import { serveSwagger } from './kernel/http/swagger.ts';
import { createIdSource, systemClock } from './kernel/ids.ts';
import { keeperRoutes } from './kernel/keepers/routes.ts';
import { KeeperRunner } from './kernel/keepers/runner.ts';
import { Engine } from './kernel/operations/engine.ts';
import { retentionKeeper } from './kernel/operations/retention.ts';
import { operationRoutes } from './kernel/operations/routes.ts';
import { openSealer } from './kernel/secrets/open.ts';
import { openStore } from './kernel/store/open.ts';
import type { Store } from './kernel/store/store.ts';
import { type Log, createLog } from './kernel/telemetry/log.ts';
import { createMetrics } from './kernel/telemetry/metrics.ts';
import { createTracing } from './kernel/telemetry/tracing.ts';
import { migrations } from './migrations.ts';
import type { ObjectBackend } from './objects/backends/backend.ts';
import { createNotificationParts } from './notifications/parts.ts';
import { createObjectParts } from './objects/parts.ts';
import { bucketNotices } from './objects/s3/notifications/notices.ts';
import { version } from './version.ts';
import type { VolumeBackend } from './volumes/backends/backend.ts';
import type { BackendRegistry } from './volumes/backends/registry.ts';
import { exportKeeperName } from './volumes/keepers/exports.ts';
import { createVolumeParts } from './volumes/parts.ts';
import { volumesAtNode } from './volumes/node-volumes.ts';
import { statusRoutes } from './volumes/status/routes.ts';
import type { ExportTarget } from './volumes/exports/target.ts';

const joinWaitMs = 2_000;

/** A server that runs. */
export interface RunningServer {
  /** Such as `http://127.0.0.1:8080`. */
  readonly url: string;
  /** The S3 endpoint, such as `http://127.0.0.1:9000`. */
  readonly s3Url: string;
  readonly description: { readonly store: string; readonly backend: string };
  /** Stops in reverse order within SHUTDOWN_TIMEOUT; what was under way is given back. */
  stop(): Promise<void>;
}

export interface ServerOptions {
  readonly log?: Log;
  /** Puts something between the server and each backend: tests make them fail, hang, or end the process. */
  readonly wrapBackend?: (backend: VolumeBackend) => VolumeBackend;
  /** The same for what exports volumes on this machine. */
  readonly wrapExportTarget?: (target: ExportTarget) => ExportTarget;
  /** The same for backends of objects. */
  readonly wrapObjectBackend?: (name: string, backend: ObjectBackend) => ObjectBackend;
}

/**
 * The one place where parts are wired. Starts them in order; when one fails, those before it are stopped. Throws
 * `HoldfastError` with one sentence for whatever an operator can mend.
 */
export async function startServer(config: Config, options: ServerOptions = {}): Promise<RunningServer> {
  const { values } = config;
  const log = options.log ?? createLog({ level: values.logLevel });
  const stops: { readonly name: string; stop(): unknown }[] = [];
  const stop = () => stopAll(stops, log, values.shutdownTimeoutMs);
  try {
    const metrics = createMetrics();
    const tracing = await createTracing({ exporter: values.otelExporter, endpoint: values.otelEndpoint, version });
    stops.push({ name: 'tracing', stop: () => tracing.shutdown() });
    const store = await openStore(
      {
        databaseUrl: values.databaseUrl,
        dataDirectory: values.dataDir,
        timeoutMs: values.databaseTimeoutMs,
        migrations,
        onError: (error) => log.warn({ err: error }, 'store connection lost'),
      },
      { owner: true },
    );
    stops.push({ name: 'store', stop: () => store.close() });
    await refuseOpenDoor(store, values.host);

    const observe = metrics.onBackendCall;
    const backends = createBackends(values, { log, tracer: tracing.tracer, observe }, options.wrapBackend);
    stops.push({ name: 'backends', stop: () => backends.close() });
    const newId = createIdSource();
    const clock = systemClock;
    const engine = new Engine({
      store,
      clock,
      newId,
      runningMax: values.operationsMaxRunning,
      heldMax: values.operationsMaxHeld,
      leaseTtlMs: values.leaseTtlMs,
      observer: engineObserver(log, metrics),
      tracer: tracing.tracer,
    });
    metrics.gauge('operations_held', 'Operations under way in this process.', () => engine.heldCount);
    const sealer = await openSealer(store, values);
    const hosts = createHostParts({
      store,
      sealer,
      clock,
      newId,
      deadAfterMs: values.hostDeadAfterMs,
      // Before the step's own deadline, so that it is told which host did not answer.
      commandTimeoutMs: values.backendTimeoutMs * 0.9,
      wanted: async (name) => ({ volumes: await store.read((reader) => volumesAtNode(reader, name)) }),
    });
    const localHost = nodeIdOf(values);
    const volumes = createVolumeParts({
      values,
      store,
      sealer,
      clock,
      newId,
      engine,
      backends,
      hosts: hosts.commands,
      localHost,
    });
    let agent: RunningAgent | null = null;
    if (values.agent === 'on') {
      agent = await startAgent(values, localLink(hosts.service, store.exclusive), log, options.wrapExportTarget);
      stops.push({ name: 'agent', stop: () => agent?.stop() });
      // So that the first request finds the host.
      await Promise.race([agent.tried, delay(joinWaitMs, undefined, { ref: false })]);
    }
    await engine.start();
    stops.push({ name: 'operations', stop: () => engine.stop(values.shutdownTimeoutMs * 0.6) });

    const keepers = new KeeperRunner(store, () => engine.replicaId, keeperObserver(log, metrics));
    for (const keeper of [...hosts.keepers, ...volumes.keepers]) keepers.register(keeper);
    store.subscribe(hostReportTopic, (section) => {
      if (section === 'export-losses' || section === 'hosts') keepers.signal(exportKeeperName);
    });
    const notifications = createNotificationParts({
      store,
      sealer,
      clock,
      newId,
      log,
      metrics,
      retry: { firstWaitMs: values.notificationRetryWaitMs, attemptsMax: values.notificationAttemptsMax },
      sources: [bucketNotices(store, values.s3Region)],
      owner: () => engine.replicaId,
    });
    notifications.start();
    stops.push({ name: 'notifications', stop: () => notifications.stop() });
    const retention = {
      operationsMs: values.operationsRetentionMs,
      eventsMs: values.eventsRetentionMs,
      passedEventId: () => notifications.passedEventId(),
    };
    keepers.register(retentionKeeper(store, clock, retention));
    const objects = await createObjectParts({
      values,
      store,
      sealer,
      clock,
      newId,
      log,
      metrics,
      wake: (keeper) => keepers.signal(keeper),
      owner: () => engine.replicaId,
      hasNotificationTarget: (name) => notifications.hasTarget(name),
      settings: [notifications.settings],
      ...(options.wrapObjectBackend === undefined ? {} : { wrapBackend: options.wrapObjectBackend }),
    });
    stops.push({ name: 'objects', stop: () => objects.stop() });
    for (const keeper of objects.keepers) keepers.register(keeper);
    keepers.start();
    stops.push({ name: 'keepers', stop: () => keepers.stop() });

    const follower = new EventFollower(store, (error) => log.warn({ err: error }, 'events cannot be read'));
    stops.push({ name: 'events', stop: () => follower.close() });
    const streams = new SseStreams(values.sseHeartbeatMs, metrics.setStreams);
    let isReady = false;
    const healthTimeoutMs = values.healthTimeoutMs;
    const checks = [...healthChecks(store, backends), ...notifications.checks, ...objects.checks];
    const app = createHttpServer(
      {
        log,
        metrics,
        authorizer: createAuthorizer(store),
        tracer: values.otelExporter === 'none' ? null : tracing.tracer,
      },
      [
        ...objects.routes,
        ...hosts.routes,
        ...volumes.routes({ follower, streams }),
        ...notifications.routes,
        ...operationRoutes(store, engine, streams),
        ...eventRoutes(store, follower, streams),
        ...keeperRoutes(keepers),
        ...statusRoutes({
          store,
          backends,
          clock,
          version,
          metrics,
          endpoints,
          timeoutMs: healthTimeoutMs,
          deviceMonitor: agent === null ? null : () => agent.monitor(),
        }),
        ...serverRoutes({ checks, healthTimeoutMs, metrics, isReady: () => isReady, store }),
      ],
    );
    serveSwagger(app);
    const url = await listen(app, values.host, values.port);
    const s3Url = await objects.listen(values.host, values.s3Port);
    isReady = true;
    void warnOfTrouble(checks, healthTimeoutMs, log);
    stops.push({
      name: 'http',
      stop: async () => {
        isReady = false;
        streams.close();
        await app.close();
      },
    });
    return { url, s3Url, description: { store: store.description, backend: backends.defaultName }, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Without a token anybody who reaches the port would be an admin. */
async function refuseOpenDoor(store: Store, host: string): Promise<void> {
  if (isLoopbackHost(host) || (await store.read(hasTokens))) return;
  const message = `Listening on ${host} needs a token: make one with "holdfast token create", or listen on 127.0.0.1.`;
  throw new HoldfastError('invalid', message, { field: 'HOLDFAST_HOST', provided_value: host });
}

async function listen(app: FastifyInstance, host: string, port: number): Promise<string> {
  try {
    const address = await app.listen({ host, port });
    return address.replace('[::1]', 'localhost');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const reasons: Readonly<Record<string, string>> = {
      EADDRINUSE: 'another process uses it',
      EACCES: 'this user may not',
      EADDRNOTAVAIL: 'this machine has no such address',
    };
    const reason = reasons[code ?? ''] ?? (error instanceof Error ? error.message : String(error));
    throw new HoldfastError('unavailable', `The server cannot listen on ${host}:${port}: ${reason}.`, {}, error);
  }
}

async function stopAll(
  stops: readonly { readonly name: string; stop(): unknown }[],
  log: Log,
  timeoutMs: number,
): Promise<void> {
  const deadline = new Promise<'late'>((resolve) => setTimeout(() => resolve('late'), timeoutMs).unref());
  for (const part of stops.toReversed()) {
    const work = Promise.resolve()
      .then(() => part.stop())
      .catch((error: unknown) => log.warn({ err: error, part: part.name }, 'a part did not stop cleanly'));
    if ((await Promise.race([work, deadline])) === 'late') log.warn({ part: part.name }, 'a part did not stop in time');
  }
}

/** A backend that does not work is told at once, and is no reason not to serve the others. */
async function warnOfTrouble(checks: readonly HealthCheck[], timeoutMs: number, log: Log): Promise<void> {
  const { parts } = await checkHealth(checks, timeoutMs);
  for (const [part, { status, detail }] of Object.entries(parts)) {
    if (status !== 'healthy') log.warn({ part, status }, detail);
  }
}

function healthChecks(store: Store, backends: BackendRegistry): HealthCheck[] {
  const name = backends.defaultName;
  return [
    { name: 'store', isVital: true, check: async () => (await store.health(), store.description) },
    {
      name: `backend:${name}`,
      isVital: false,
      check: async (signal) => (await backends.get(name).health(signal)).detail,
    },
  ];
}

function serverRoutes(parts: {
  readonly checks: readonly HealthCheck[];
  readonly healthTimeoutMs: number;
  readonly metrics: ReturnType<typeof createMetrics>;
  readonly store: Store;
  isReady(): boolean;
}): Route[] {
  let document: Record<string, unknown> | undefined;
  return [
    route(healthContract.health, async () => {
      const health = await checkHealth(parts.checks, parts.healthTimeoutMs);
      return new Reply(health, {}, health.status === 'unhealthy' ? 503 : 200);
    }),
    route(healthContract.ready, async () => {
      const { status, parts: found } = await checkHealth(parts.checks.slice(0, 1), parts.healthTimeoutMs);
      const isReady = parts.isReady() && status === 'healthy';
      const detail = isReady ? 'ready' : (found['store']?.detail ?? 'starting or stopping');
      return new Reply({ ready: isReady, detail }, {}, isReady ? 200 : 503);
    }),
    route(
      healthContract.metrics,
      async () => new Reply(await parts.metrics.text(), { 'content-type': parts.metrics.contentType }),
    ),
    route(healthContract.openapi, () => (document ??= openApiDocument(endpoints, version))),
  ];
}

function engineObserver(log: Log, metrics: ReturnType<typeof createMetrics>) {
  return {
    onFinished: (run: { id: string; kind: string; resource: string }, status: string, durationMs: number) => {
      metrics.onOperation(run.kind, status, durationMs / 1000);
      log.info({ operation: run.id, kind: run.kind, resource: run.resource, status, durationMs }, 'operation ended');
    },
    onAttempt: (run: { kind: string }, step: string, result: string) => metrics.onAttempt(run.kind, step, result),
    onAdopted: (runs: readonly { id: string }[]) => {
      metrics.onTakeover(runs.length);
      log.info({ count: runs.length, operations: runs.slice(0, 20).map(({ id }) => id) }, 'operations resumed');
    },
    onLeaseLost: (replica: string) => log.error({ replica }, 'the lease was lost; operations were given up'),
    onError: (error: unknown, about: string) => log.error({ err: error, about }, 'operations engine'),
  };
}

function keeperObserver(log: Log, metrics: ReturnType<typeof createMetrics>) {
  return {
    onRun: (keeper: string, result: 'ok' | 'failed', seconds: number, detail: string) => {
      metrics.onKeeperRun(keeper, result, seconds);
      log[result === 'ok' ? 'debug' : 'warn']({ keeper, detail }, 'keeper ran');
    },
    onError: (error: unknown, about: string) => log.warn({ err: error, about }, 'keeper could not run'),
  };
}

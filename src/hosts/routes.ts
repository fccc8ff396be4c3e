import type { ErrorData } from '../kernel/errors/errors.ts';
import { type Route, route } from '../kernel/http/server.ts';
import { isoTime } from '../kernel/operations/view.ts';
import type { HostCommands } from './commands.ts';
import { hostContract } from './contract.ts';
import type { Host } from './host.ts';
import type { HostService } from './service.ts';

/** The API of hosts, for people and for agents. */
export function hostRoutes(service: HostService, commands: HostCommands): Route[] {
  return [...readingRoutes(commands), ...agentRoutes(service)];
}

function readingRoutes(commands: HostCommands): Route[] {
  return [
    route(hostContract.listHosts, async () => ({ items: (await commands.list()).map(hostView) })),
    route(hostContract.getHost, async ({ params }) => hostView(await commands.require(params.host))),
  ];
}

/** How long an agent's question may stand open, beside the heartbeat that ends it. */
const questionTimeoutMs = 60_000;

function agentRoutes(service: HostService): Route[] {
  return [
    route(hostContract.registerHost, async ({ body }) => {
      const { hostId, session, heartbeatMs } = await service.register(body);
      return { host_id: hostId, session, heartbeat_ms: heartbeatMs };
    }),
    route(hostContract.takeHostWork, async ({ params, body, reply }) => {
      const gone = new AbortController();
      // The answer's end, not the request's: a request is over as soon as its body was read.
      reply.raw.once('close', () => gone.abort());
      const signal = AbortSignal.any([gone.signal, AbortSignal.timeout(questionTimeoutMs)]);
      const speaker = { hostId: params.host, session: body.session };
      try {
        const { work, wanted } = await service.take(speaker, body.known, signal);
        return { work: work.map(({ timeoutMs, ...rest }) => ({ ...rest, timeout_ms: timeoutMs })), wanted };
      } catch (error) {
        if (gone.signal.aborted) return { work: [], wanted: {} };
        throw error;
      }
    }),
    route(hostContract.reportHost, async ({ params, body }) => {
      const results = body.results.map(({ id, output, error }) => ({ id, output, error: error as ErrorData | null }));
      await service.report({ hostId: params.host, session: body.session }, results, body.reports);
      return {};
    }),
    route(hostContract.releaseHost, async ({ params, body }) => {
      await service.release({ hostId: params.host, session: body.session });
      return {};
    }),
  ];
}

function hostView(host: Host) {
  return {
    id: host.id,
    name: host.name,
    state: host.state,
    address: host.address,
    version: host.version,
    capabilities: host.capabilities,
    epoch: host.epoch,
    created_at: isoTime(host.createdAtMs),
    last_heard_at: isoTime(host.heartbeatAtMs),
    silent_ms: host.silentMs,
  };
}

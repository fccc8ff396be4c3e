import { chmod, lstat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import {
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
  type sendUnaryData,
  type ServerUnaryCall,
} from '@grpc/grpc-js';
import { type Options, loadSync } from '@grpc/proto-loader';
import { HoldfastError } from '../kernel/errors/errors.ts';
import type { Log } from '../kernel/telemetry/log.ts';
import { type Call, callOf } from './call.ts';
import type { Rpc, Services } from './rpcs.ts';
import { toStatus } from './status.ts';

/** How long calls may take to their end when the server stops. */
const stopTimeoutMs = 10_000;

/** 64-bit integers stay exact as text; numbers of JavaScript end at 2^53. */
const loading: Options = { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true };

/** What `csi.proto` defines of one service. */
export function serviceDefinition(service: keyof Services): ServiceDefinition {
  const definitions = loadSync(join(import.meta.dirname, 'csi.proto'), loading);
  return definitions[`csi.v1.${service}`] as ServiceDefinition;
}

export interface RunningCsiServer {
  /** Lets calls end, then closes the socket. */
  stop(): Promise<void>;
}

/**
 * Serves CSI on a Unix socket. A socket that an earlier process left at the path is replaced.
 *
 * @param endpoint - such as `unix:///csi/csi.sock`.
 * @throws HoldfastError `invalid` for an endpoint that is no Unix socket, `unavailable` when it cannot be bound.
 */
export async function startCsiServer(endpoint: string, services: Services, log: Log): Promise<RunningCsiServer> {
  const path = socketPath(endpoint);
  await removeSocket(path);
  const server = new Server();
  for (const [name, rpcs] of Object.entries(services) as [keyof Services, Record<string, Rpc<never, unknown>>][]) {
    server.addService(serviceDefinition(name), handlersOf(rpcs, log));
  }
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix://${path}`, ServerCredentials.createInsecure(), (error) => {
      if (error === null) resolve();
      else reject(new HoldfastError('unavailable', `Cannot listen at ${endpoint}: ${error.message}`, {}, error));
    });
  });
  // Whoever may connect may mount and delete.
  await chmod(path, 0o600);
  return { stop: () => stop(server) };
}

function handlersOf(rpcs: Readonly<Record<string, Rpc<never, unknown>>>, log: Log): UntypedServiceImplementation {
  return Object.fromEntries(
    Object.entries(rpcs).map(([name, rpc]) => {
      const handle = (incoming: ServerUnaryCall<unknown, unknown>, answer: sendUnaryData<unknown>): void => {
        const beganAt = performance.now();
        const call = callOf(incoming);
        void outcomeOf(rpc, incoming.request, call).then(({ status, response }) => {
          const ms = Math.round(performance.now() - beganAt);
          log.debug({ rpc: name, code: status?.code ?? 0, details: status?.details, ms }, 'csi');
          return answer(status, response);
        });
      };
      return [name, handle];
    }),
  );
}

interface Outcome {
  readonly status: { readonly code: number; readonly details: string } | null;
  readonly response: unknown;
}

async function outcomeOf(rpc: Rpc<never, unknown>, request: unknown, call: Call): Promise<Outcome> {
  try {
    return { status: null, response: await rpc(request as never, call) };
  } catch (error) {
    return { status: toStatus(error, call.signal), response: null };
  }
}

function socketPath(endpoint: string): string {
  const path = endpoint.replace(/^unix:(\/\/)?/, '');
  if (endpoint.startsWith('unix:') && path.startsWith('/')) return path;
  const message = `The endpoint must be a Unix socket such as unix:///csi/csi.sock, not ${endpoint.slice(0, 200)}.`;
  throw new HoldfastError('invalid', message, { field: '--endpoint' });
}

async function removeSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => null);
  if (found === null) return;
  if (!found.isSocket())
    throw new HoldfastError('invalid', `${path} is there and is no socket.`, { field: '--endpoint' });
  await unlink(path);
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.forceShutdown(), stopTimeoutMs);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

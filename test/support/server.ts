import { Client } from '../../src/client.ts';
import { contract } from '../../src/contract.ts';
import { loadConfig } from '../../src/kernel/config/config.ts';
import type { ReplyOf } from '../../src/kernel/http/contract.ts';
import { createLog } from '../../src/kernel/telemetry/log.ts';
import { type RunningServer, type ServerOptions, startServer } from '../../src/server.ts';
import { temporaryDirectory } from './temp.ts';
import { until } from './wait.ts';

export type VolumeReply = ReplyOf<typeof contract.getVolume>;
export type OperationReply = ReplyOf<typeof contract.getOperation>;

/** A server in this process, on a free port and in a directory of its own; `await using` stops it. */
export interface TestServer extends AsyncDisposable {
  readonly url: string;
  readonly client: Client;
  readonly directory: string;
  readonly server: RunningServer;
  /** Waits until an operation has ended, and gives it. */
  ended(operationId: string): Promise<OperationReply>;
  volume(reference: string): Promise<VolumeReply>;
}

/** Settings of tests: quick retries, no noise. `flags` are by flag name. */
export async function testServer(
  flags: Readonly<Record<string, string>> = {},
  options: ServerOptions = {},
): Promise<TestServer> {
  const directory = await temporaryDirectory();
  const config = loadConfig({ flags: { ...testFlags(directory.path), ...flags }, env: {} });
  const server = await startServer(config, { log: createLog({ level: 'silent' }), ...options });
  const client = new Client({ url: server.url });
  return {
    ...clientHelpers(client),
    url: server.url,
    client,
    directory: directory.path,
    server,
    async [Symbol.asyncDispose]() {
      await server.stop();
      await directory[Symbol.asyncDispose]();
    },
  };
}

/** What servers of tests have in common, as flags. */
export function testFlags(directory: string): Record<string, string> {
  return {
    port: '0',
    's3-port': '0',
    'data-dir': directory,
    'storage-backend': 'memory',
    'log-level': 'silent',
    'volume-retry-initial-wait': '10ms',
    'volume-retry-max-wait': '50ms',
  };
}

/** Ways to wait for what a server does. */
export function clientHelpers(client: Client): Pick<TestServer, 'ended' | 'volume'> {
  return {
    ended: (id) =>
      until(`operation ${id} ends`, async () => {
        const operation = await client.call(contract.getOperation, { params: { id } });
        return operation.finished_at === null ? null : operation;
      }),
    volume: (reference) => client.call(contract.getVolume, { params: { volume: reference } }),
  };
}

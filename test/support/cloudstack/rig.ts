import assert from 'node:assert/strict';
import { ApiError } from '../../../src/client.ts';
import { contract } from '../../../src/contract.ts';
import type { ServerOptions } from '../../../src/server.ts';
import { type OperationReply, type TestServer, type VolumeReply, testServer } from '../server.ts';
import { CloudStackSimulator, type SimulatorOptions } from './simulator.ts';

/** A user of a server whose volumes are on a simulated CloudStack; `await using` ends both. */
export interface CloudStackRig extends AsyncDisposable {
  readonly simulator: CloudStackSimulator;
  readonly server: TestServer;
  /** Another server on the same CloudStack, in the given directory. */
  serve(flags?: Readonly<Record<string, string>>, options?: ServerOptions): Promise<TestServer>;
  create(name: string, body?: Readonly<Record<string, unknown>>): Promise<VolumeReply>;
  attach(name: string, vmId: string): Promise<OperationReply>;
  attachRoot(name: string, vmId: string): Promise<OperationReply>;
  detach(name: string): Promise<OperationReply>;
  delete(name: string, isPurge?: boolean): Promise<OperationReply>;
}

export async function cloudStackRig(
  flags: Readonly<Record<string, string>> = {},
  options: SimulatorOptions = {},
): Promise<CloudStackRig> {
  const simulator = await CloudStackSimulator.start(options);
  const serve = (own: Readonly<Record<string, string>> = {}, serverOptions: ServerOptions = {}) =>
    testServer({ ...settingsOf(simulator), ...flags, ...own }, serverOptions);
  const server = await serve();
  const { client } = server;
  const ended = async ({ operation_id: id }: { readonly operation_id: string }) => server.ended(id);
  return {
    simulator,
    server,
    serve,
    async create(name, body = {}) {
      const wanted = { name, size: '2GiB', ...body };
      const { status, error } = await ended(await client.call(contract.createVolume, { body: wanted }));
      assert.equal(status, 'completed', error?.error);
      return await server.volume(name);
    },
    attach: async (name, vmId) =>
      ended(await client.call(contract.attachVolume, { params: { volume: name }, body: { node_id: vmId } })),
    attachRoot: async (name, vmId) =>
      ended(await client.call(contract.attachRootVolume, { params: { volume: name }, body: { vm_id: vmId } })),
    detach: async (name) => ended(await client.call(contract.detachVolume, { params: { volume: name }, body: {} })),
    delete: async (name, purge = false) =>
      ended(await client.call(contract.deleteVolume, { params: { volume: name }, query: { purge } })),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await simulator.stop();
    },
  };
}

/** The refusal of a request. Fails when it is not refused. */
export async function refusalOf(request: Promise<unknown>): Promise<ApiError> {
  const outcome = await request.then(
    () => null,
    (error: unknown) => error,
  );
  assert.ok(outcome instanceof ApiError, `not refused: ${String(outcome)}`);
  return outcome;
}

/** The settings of a server that works on this CloudStack, as flags. */
export function settingsOf({ world, url, apiKey, secretKey }: CloudStackSimulator): Record<string, string> {
  return {
    'storage-backend': 'cloudstack',
    'cloudstack-api-url': url,
    'cloudstack-api-key': apiKey,
    'cloudstack-secret-key': secretKey,
    'cloudstack-zone-id': world.zoneId,
    'cloudstack-disk-offering-id': world.customOffering.id,
    'cloudstack-poll-interval': '2ms',
  };
}

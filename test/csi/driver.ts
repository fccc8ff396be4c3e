import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { ServiceError } from '@grpc/grpc-js';
import { CsiClient, type CsiTransport } from '../../src/csi-client.ts';
import { type CsiDriverOptions, createCsiServices } from '../../src/csi/driver.ts';
import type { Holdfast } from '../../src/csi/holdfast.ts';
import type { Volume } from '../../src/csi/messages.ts';
import { LinuxSystem } from '../../src/csi/node/linux-system.ts';
import { startCsiServer } from '../../src/csi/server.ts';
import { type StatusName, statusCodes } from '../../src/csi/status.ts';
import { createLog } from '../../src/kernel/telemetry/log.ts';
import { temporaryDirectory } from '../support/temp.ts';
import { type TestServer, testServer } from '../support/server.ts';
import { type Reply, callsTo } from './calls.ts';
import { LoopConnector } from './loop-connector.ts';

export const mebibyte = 1_048_576;
export const volumeBytes = 64 * mebibyte;
export const nodeId = 'node-1';

/** A capability to be asked for. */
export function capability(mode = 'SINGLE_NODE_WRITER', access: object = { mount: {} }): object {
  return { access_mode: { mode }, ...access };
}

export function unique(prefix: string): string {
  return `${prefix}-${randomUUID()}`;
}

/** A request of CreateVolume as csi-sanity makes it. */
export function newVolume(name: string, more: object = {}): object {
  const size = { required_bytes: volumeBytes, limit_bytes: volumeBytes };
  return { name, volume_capabilities: [capability()], capacity_range: size, ...more };
}

/** The real driver over its Unix socket, with a real Holdfast beneath. */
export interface Driver extends AsyncDisposable {
  readonly holdfast: TestServer;
  readonly directory: string;
  /** Calls an RPC, found by its name alone. */
  call(rpc: string, request: object, deadlineMs?: number): Promise<Reply>;
  /** Calls an RPC that must be refused with this status, and in such words. */
  refused(rpc: string, request: object, status: StatusName, words?: RegExp): Promise<void>;
  createVolume(name: string, more?: object): Promise<Volume>;
  createSnapshot(name: string, volumeId: string): Promise<Reply>;
}

export interface DriverOptions extends Partial<CsiDriverOptions> {
  readonly flags?: Readonly<Record<string, string>>;
  readonly transport?: CsiTransport;
  /** Stands between the driver and Holdfast, such as a network that loses answers. */
  readonly between?: (holdfast: Holdfast) => Holdfast;
}

export async function startDriver(options: DriverOptions = {}): Promise<Driver> {
  const { flags = {}, transport = 'none', between = (holdfast) => holdfast, ...own } = options;
  const holdfast = await testServer({ 'storage-backend': 'file', ...flags });
  const directory = await temporaryDirectory('holdfast-csi-');
  const endpoint = `unix://${join(directory.path, 'csi.sock')}`;
  const services = createCsiServices({
    mode: 'all',
    nodeId,
    volumesMax: 0,
    stateDirectory: join(directory.path, 'state'),
    version: '0.0.0',
    holdfast: between(new CsiClient({ url: holdfast.url }, transport)),
    system: new LinuxSystem(),
    connectors: { none: new LoopConnector(holdfast.client) },
    ...own,
  });
  const server = await startCsiServer(endpoint, services, createLog({ level: 'silent' }));
  const { call, close } = callsTo(endpoint);
  return {
    holdfast,
    directory: directory.path,
    call,
    refused: async (rpc, request, status, words = /./) => {
      const error = await call(rpc, request).then(
        () => assert.fail(`${rpc} was not refused`),
        (failure: ServiceError) => failure,
      );
      assert.equal(error.code, statusCodes[status], `${rpc}: ${error.message}`);
      assert.match(error.details, words);
    },
    createVolume: async (name, more) => (await call('CreateVolume', newVolume(name, more)))['volume'] as Volume,
    createSnapshot: async (name, volumeId) =>
      (await call('CreateSnapshot', { name, source_volume_id: volumeId }))['snapshot'] as Reply,
    async [Symbol.asyncDispose]() {
      close();
      await server.stop();
      await holdfast[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

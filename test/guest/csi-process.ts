/** The real CSI driver in a process of its own, and its calls as an orchestrator makes them; runs inside a guest. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { ServiceError } from '@grpc/grpc-js';
import type { CsiTransport } from '../../src/csi-client.ts';
import { type StatusName, statusCodes } from '../../src/csi/status.ts';
import { type Reply, callsTo } from '../csi/calls.ts';
import { until } from '../support/wait.ts';
import { waitMs } from './machine.ts';
import { nodeArgs } from './node-args.ts';

const bin = join(import.meta.dirname, '../../bin/holdfast.js');
const directory = '/scratch/csi';
export const nodeId = 'guest';
const capability = { access_mode: { mode: 'SINGLE_NODE_WRITER' }, mount: { fs_type: 'ext4' } };

export interface CsiProcess {
  /** Calls an RPC, found by its name alone. */
  call(rpc: string, request: object): Promise<Reply>;
  /** Calls an RPC that must be refused with this status. */
  refused(rpc: string, request: object, status: StatusName): Promise<void>;
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>;
}

/** `programs`: a folder whose programs are found before the system's. */
export async function csiProcess(url: string, transport: CsiTransport, programs: string | null): Promise<CsiProcess> {
  const endpoint = `unix://${directory}/csi.sock`;
  const options = { endpoint, mode: 'all', 'node-id': nodeId, transport, 'state-dir': `${directory}/state` };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  const path = `${programs === null ? '' : `${programs}:`}${process.env['PATH']}`;
  const child = spawn(process.execPath, [...nodeArgs, bin, 'csi', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, HOLDFAST_URL: url, PATH: path },
  });
  process.once('exit', () => child.kill('SIGKILL'));
  const exit = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await until('the CSI driver', () => text.includes('csi is ready'), waitMs);
  const calls = callsTo(endpoint);
  const call = (rpc: string, request: object) => calls.call(rpc, request, waitMs);
  return {
    call,
    refused: async (rpc, request, status) => {
      const error = await call(rpc, request).then(
        () => assert.fail(`${rpc} was not refused`),
        (failure: ServiceError) => failure,
      );
      assert.equal(error.code, statusCodes[status], `${rpc}: ${error.message}`);
    },
    end: async (signal) => {
      calls.close();
      child.kill(signal);
      await exit;
    },
  };
}

/** One volume on its way to a workload. */
export class Claim {
  readonly #name: string;
  #volumeId = '';
  #context: Reply = {};

  constructor(name: string) {
    this.#name = name;
  }

  get stagingPath(): string {
    return `/mnt/${this.#name}-staging`;
  }

  get targetPath(): string {
    return `/mnt/${this.#name}-target`;
  }

  get transport(): string {
    return this.#context['transport'];
  }

  async create({ call }: CsiProcess, sizeBytes: number): Promise<void> {
    const range = { required_bytes: sizeBytes };
    const request = { name: this.#name, capacity_range: range, volume_capabilities: [capability] };
    this.#volumeId = (await call('CreateVolume', request))['volume'].volume_id;
  }

  async attach({ call }: CsiProcess): Promise<void> {
    const request = { volume_id: this.#volumeId, node_id: nodeId, volume_capability: capability };
    this.#context = (await call('ControllerPublishVolume', request))['publish_context'];
  }

  stage({ call }: CsiProcess): Promise<Reply> {
    return call('NodeStageVolume', this.#staging);
  }

  publish({ call }: CsiProcess): Promise<Reply> {
    return call('NodePublishVolume', { ...this.#staging, target_path: this.targetPath });
  }

  /** Bytes of the filesystem, as the driver says. */
  async bytes({ call }: CsiProcess): Promise<number> {
    const stats = await call('NodeGetVolumeStats', { volume_id: this.#volumeId, volume_path: this.targetPath });
    assert.equal(stats['volume_condition'].abnormal, false, JSON.stringify(stats));
    const usage = (stats['usage'] as readonly Reply[]).find(({ unit }) => unit === 'BYTES');
    return Number(usage?.['total']);
  }

  growth(sizeBytes: number): object {
    return { volume_id: this.#volumeId, capacity_range: { required_bytes: sizeBytes }, volume_capability: capability };
  }

  growthHere(sizeBytes: number): object {
    return { ...this.growth(sizeBytes), volume_path: this.targetPath, staging_target_path: this.stagingPath };
  }

  async unpublish({ call }: CsiProcess): Promise<void> {
    await call('NodeUnpublishVolume', { volume_id: this.#volumeId, target_path: this.targetPath });
  }

  async unstage({ call }: CsiProcess): Promise<void> {
    await call('NodeUnstageVolume', { volume_id: this.#volumeId, staging_target_path: this.stagingPath });
  }

  async delete({ call }: CsiProcess): Promise<void> {
    await call('ControllerUnpublishVolume', { volume_id: this.#volumeId, node_id: nodeId });
    await call('DeleteVolume', { volume_id: this.#volumeId });
  }

  get #staging(): object {
    return {
      volume_id: this.#volumeId,
      staging_target_path: this.stagingPath,
      volume_capability: capability,
      publish_context: this.#context,
    };
  }
}

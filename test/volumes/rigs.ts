import assert from 'node:assert/strict';
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Client } from '../../src/client.ts';
import { loadConfig } from '../../src/kernel/config/config.ts';
import { createLog } from '../../src/kernel/telemetry/log.ts';
import { startServer } from '../../src/server.ts';
import type { VolumeBackend } from '../../src/volumes/backends/backend.ts';
import { createCephBackend } from '../../src/volumes/backends/ceph/backend.ts';
import { createFileBackend } from '../../src/volumes/backends/file/file.ts';
import type { ExportTarget } from '../../src/volumes/exports/target.ts';
import { MemoryDisk } from '../../src/volumes/backends/memory/disk.ts';
import { createMemoryBackend } from '../../src/volumes/backends/memory/memory.ts';
import { type CephCluster, cephAvailable, startCeph } from '../support/ceph.ts';
import { BackendFaults } from '../support/faulty-backend.ts';
import { testFlags } from '../support/server.ts';
import { temporaryDirectory } from '../support/temp.ts';
import { Hand } from './world.ts';

/** A backend under test: its real system outlives the servers that are started on it. */
export interface Rig extends AsyncDisposable {
  readonly name: 'memory' | 'file' | 'ceph';
  /** Settings for a server on this backend and its data directory. */
  readonly flags: Readonly<Record<string, string>>;
  /** An instance of its own, for reading the real system. */
  readonly backend: VolumeBackend;
  /** Only in memory: the backend that a server gets in place of its own, over the shared disk. */
  readonly disk: MemoryDisk | null;
  hand(client: Client): Hand;
}

/** A server in this process on a rig. */
export interface RigServer extends AsyncDisposable {
  readonly hand: Hand;
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts a server on the rig's data directory, with faults in between, or what exports replaced. */
export async function serve(
  rig: Rig,
  faults: BackendFaults,
  flags: Readonly<Record<string, string>> = {},
  wrapExportTarget: (target: ExportTarget) => ExportTarget = faults.wrapTarget,
): Promise<RigServer> {
  const config = loadConfig({ flags: { ...rig.flags, ...flags }, env: {} });
  const { disk } = rig;
  const swap = (made: VolumeBackend) =>
    disk !== null && made.name === 'memory' ? createMemoryBackend({ disk }) : made;
  const wrapBackend = (made: VolumeBackend) => faults.wrap(swap(made));
  const server = await startServer(config, { log: createLog({ level: 'silent' }), wrapBackend, wrapExportTarget });
  return {
    hand: rig.hand(new Client({ url: server.url })),
    url: server.url,
    stop: () => server.stop(),
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

export async function memoryRig(): Promise<Rig> {
  const disk = new MemoryDisk();
  const put = (image: string, sizeBytes: number) => {
    disk.putForeign(image, BigInt(sizeBytes));
    return Promise.resolve();
  };
  return rigOf({ name: 'memory', flags: () => ({}), backend: () => createMemoryBackend({ disk }), disk, put });
}

export async function fileRig(): Promise<Rig> {
  const directoryIn = (dataDirectory: string) => join(dataDirectory, 'files');
  let directory = '';
  return rigOf({
    name: 'file',
    flags: (data) => ({ 'file-directory': directoryIn(data) }),
    backend: (data) => createFileBackend({ name: 'file', directory: (directory = directoryIn(data)) }),
    disk: null,
    put: async (image, sizeBytes) => {
      const images = join(directory, 'images');
      await mkdir(images, { recursive: true });
      await using file = await open(join(images, `${image}.img`), 'w');
      await file.truncate(sizeBytes);
    },
  });
}

export async function cephRig(): Promise<Rig & { readonly cluster: CephCluster }> {
  const cluster = await startCeph();
  const { conf, pool } = cluster;
  const rig = await rigOf({
    name: 'ceph',
    flags: () => ({ 'ceph-conf': conf, 'ceph-pool': pool }),
    backend: () => createCephBackend({ name: 'ceph', conf, pool }),
    disk: null,
    put: async (image, sizeBytes) => {
      await cluster.run('rbd', 'create', '--size', `${sizeBytes}B`, `${pool}/${image}`);
    },
    stop: () => cluster.stop(),
  });
  return { ...rig, cluster };
}

async function rigOf(parts: {
  readonly name: Rig['name'];
  flags(dataDirectory: string): Record<string, string>;
  backend(dataDirectory: string): VolumeBackend;
  readonly disk: MemoryDisk | null;
  put(image: string, sizeBytes: number): Promise<void>;
  stop?(): Promise<void>;
}): Promise<Rig> {
  const directory = await temporaryDirectory();
  const backend = parts.backend(directory.path);
  return {
    name: parts.name,
    flags: { ...testFlags(directory.path), 'storage-backend': parts.name, ...parts.flags(directory.path) },
    backend,
    disk: parts.disk,
    hand: (client) => new Hand({ client, backend, putForeignImage: parts.put }),
    async [Symbol.asyncDispose]() {
      await backend.close();
      await parts.stop?.();
      await directory[Symbol.asyncDispose]();
    },
  };
}

/** A server on a memory disk of its own, for one test. */
export async function withServer(
  flags: Readonly<Record<string, string>>,
  body: (hand: Hand, rig: Rig, faults: BackendFaults) => Promise<void>,
): Promise<void> {
  await using rig = await memoryRig();
  const faults = new BackendFaults();
  await using server = await serve(rig, faults, flags);
  await body(server.hand, rig, faults);
}

/** Runs the tests where Ceph is; elsewhere skips them, or fails when HOLDFAST_REQUIRE_REAL asks for the real thing. */
export function whereCephIs(name: string, tests: () => void): void {
  const missing = cephAvailable();
  if (missing === null) {
    void describe(name, tests);
    return;
  }
  const isRequired = process.env['HOLDFAST_REQUIRE_REAL'] === '1';
  void test(name, { skip: isRequired ? false : `Ceph: ${missing}` }, () => {
    assert.fail(`HOLDFAST_REQUIRE_REAL is set, but ${missing}`);
  });
}

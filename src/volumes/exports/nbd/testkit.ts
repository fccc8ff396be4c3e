/** What the tests of NBD exports share: images on files and on Ceph, and real NBD clients. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { CephCluster } from '../../../../test/support/ceph.ts';
import { holdOpen, qemuIo, qemuMissing, runClient } from '../../../../test/support/qemu.ts';
import type { ExportHarness } from '../conformance/harness.ts';
import type { ExportSource, ExportTarget, LiveExport } from '../target.ts';

/** Runs the tests where QEMU is; elsewhere skips them, or fails when HOLDFAST_REQUIRE_REAL asks for the real thing. */
export function withQemu(name: string, tests: () => void, alsoMissing: string | null = null): void {
  const missing = qemuMissing() ?? alsoMissing;
  if (missing === null) {
    void describe(name, tests);
    return;
  }
  const isRequired = process.env['HOLDFAST_REQUIRE_REAL'] === '1';
  void test(name, { skip: isRequired ? false : missing }, () => {
    assert.fail(`HOLDFAST_REQUIRE_REAL is set, but ${missing}`);
  });
}

/** Ports that are free, so that tests can run beside each other. */
export const anyPorts = { first: 0, last: 0 } as const;

export async function newFile(directory: string, sizeBytes: bigint): Promise<ExportSource & { kind: 'file' }> {
  const path = join(directory, `vol-${randomUUID()}.img`);
  const file = await open(path, 'wx');
  await file.truncate(Number(sizeBytes));
  await file.close();
  return { kind: 'file', path };
}

export async function newRbd(cluster: CephCluster, sizeBytes: bigint): Promise<ExportSource & { kind: 'rbd' }> {
  const image = `vol-${randomUUID()}`;
  await cluster.run('rbd', 'create', '--size', `${sizeBytes}B`, `${cluster.pool}/${image}`);
  return { kind: 'rbd', conf: cluster.conf, pool: cluster.pool, image };
}

/** The harness of the conformance suite, with nbdinfo and qemu-io as clients. */
export function nbdHarness(
  target: ExportTarget,
  newImage: (sizeBytes: bigint) => Promise<ExportSource>,
  teardown: () => Promise<void>,
): ExportHarness {
  return {
    target,
    allowedHosts: [],
    newImage,
    sizeSeen,
    write: async ({ connection }, byte, offset) => {
      await qemuIo(connection.uri, `write -P ${byte} ${offset} 64k`, 'flush');
    },
    reads,
    connect: async ({ connection }) => {
      const client = await holdOpen(connection.uri);
      return {
        canWrite: async (byte, offset) => {
          const words = `${await client.command(`write -P ${byte} ${offset} 64k`)}${await client.command('flush')}`;
          return /wrote 65536\/65536/.test(words) && !/failed|error/i.test(words);
        },
        disconnect: () => client.disconnect(),
      };
    },
    teardown: async () => {
      await target.close();
      await teardown();
    },
  };
}

export async function sizeSeen({ connection }: LiveExport): Promise<bigint> {
  const { status, stdout, stderr } = await runClient('nbdinfo', ['--size', connection.uri]);
  assert.equal(status, 0, stderr);
  return BigInt(stdout.trim());
}

export async function reads({ connection }: LiveExport, byte: number, offset: number): Promise<boolean> {
  const args = ['-r', '-f', 'raw', '-c', `read -P ${byte} ${offset} 64k`, connection.uri];
  const { stdout, stderr } = await runClient('qemu-io', args);
  if (!/read 65536\/65536/.test(stdout)) throw new Error(`qemu-io could not read: ${stdout}${stderr}`);
  return !stdout.includes('Pattern verification failed');
}

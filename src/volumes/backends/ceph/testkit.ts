/** What the tests of the Ceph backend share: a backend on a test cluster, other clients, and waits with a bound. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type CephCluster, cephAvailable, startCeph } from '../../../../test/support/ceph.ts';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { CreateImage, FencedContext, ImageFacts } from '../backend.ts';
import { type CephBackend, createCephBackend } from './backend.ts';

export const MIB = 1024n * 1024n;
export const CALL_TIMEOUT_MS = 60_000;

/** Runs the tests where Ceph is; elsewhere skips them, or fails when HOLDFAST_REQUIRE_REAL asks for the real thing. */
export function withCeph(name: string, tests: () => void): void {
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

export interface CephBench {
  readonly cluster: CephCluster;
  readonly backend: CephBackend;
  stop(): Promise<void>;
}

/** A cluster of its own and a backend on it. */
export async function startBench(): Promise<CephBench> {
  const cluster = await startCeph();
  const backend = backendOf(cluster);
  return {
    cluster,
    backend,
    async stop() {
      await backend.close();
      await cluster.stop();
    },
  };
}

export function backendOf(cluster: CephCluster): CephBackend {
  return createCephBackend({ name: 'ceph', pool: cluster.pool, conf: cluster.conf });
}

export function at(fence = 1, timeoutMs = CALL_TIMEOUT_MS): FencedContext {
  return { fence, signal: AbortSignal.timeout(timeoutMs) };
}

export function newVolume(): CreateImage {
  const volumeId = `vol-${randomUUID()}`;
  return { image: volumeId, volumeId, name: 'test', sizeBytes: 16n * MIB };
}

export async function putForeignImage(cluster: CephCluster, image: string, sizeBytes: bigint): Promise<void> {
  await cluster.run('rbd', 'create', '--size', `${sizeBytes}B`, `${cluster.pool}/${image}`);
}

/** The internal id of an image, from the object that maps its name; the first four bytes are the length. */
export async function imageId(cluster: CephCluster, image: string): Promise<string> {
  return (await cluster.run('rados', '-p', cluster.pool, 'get', `rbd_id.${image}`, '-')).slice(4);
}

export async function imagesNamed(cluster: CephCluster, image: string): Promise<readonly string[]> {
  return (await cluster.run('rbd', 'ls', cluster.pool)).split('\n').filter((name) => name.startsWith(image));
}

export async function watchersOf(cluster: CephCluster, location: string): Promise<number> {
  const status = JSON.parse(await cluster.run('rbd', 'status', '--format', 'json', location)) as {
    watchers: unknown[];
  };
  return status.watchers.length;
}

export async function contentOf(cluster: CephCluster, image: string): Promise<string> {
  const file = join(dirname(cluster.conf), `export-${image}`);
  await cluster.run('rbd', 'export', '--no-progress', `${cluster.pool}/${image}`, file);
  const content = await readFile(file, 'latin1');
  await rm(file);
  return content;
}

/** Starts another client that keeps the image open for writing. */
export async function openImage(cluster: CephCluster, image: string): Promise<ChildProcess> {
  const file = fileURLToPath(new URL('./open-image.fixture.ts', import.meta.url));
  const holder = fork(file, [cluster.conf, cluster.pool, image], { execArgv: [] });
  process.once('exit', () => holder.kill('SIGKILL'));
  await once(holder, 'message', { signal: AbortSignal.timeout(CALL_TIMEOUT_MS) });
  return holder;
}

/** Leaves a clone as a flatten does that is killed after taking it off its parent's list. */
export async function detachChild(cluster: CephCluster, parentId: string): Promise<void> {
  const file = fileURLToPath(new URL('./detach-child.fixture.ts', import.meta.url));
  const child = fork(file, [cluster.conf, cluster.pool, parentId], { execArgv: [] });
  const [code] = (await once(child, 'exit', { signal: AbortSignal.timeout(CALL_TIMEOUT_MS) })) as [number | null];
  assert.equal(code, null, 'the fixture reached its end');
}

export async function writeCode(holder: ChildProcess): Promise<number> {
  const answer = once(holder, 'message', { signal: AbortSignal.timeout(CALL_TIMEOUT_MS) });
  holder.send('write');
  const [message] = (await answer) as [{ code: number }];
  return message.code;
}

/** Lets the client close its image, so that no watcher is left behind. */
export async function end(holder: ChildProcess): Promise<void> {
  const exit = once(holder, 'exit', { signal: AbortSignal.timeout(CALL_TIMEOUT_MS) });
  holder.send('close');
  await exit;
}

/** `done`, or the kind of the error. */
export async function outcomeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'done';
  } catch (error) {
    return error instanceof HoldfastError ? error.kind : String(error);
  }
}

export async function assertCreatedOnce(cluster: CephCluster, facts: ImageFacts, volume: CreateImage): Promise<void> {
  assert.equal(facts.volumeId, volume.volumeId);
  assert.equal(facts.sizeBytes, volume.sizeBytes);
  assert.equal(facts.complete, true);
  assert.deepEqual(await imagesNamed(cluster, volume.image), [volume.image]);
}

export function isKind(kind: HoldfastError['kind'], sentence = /./) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof HoldfastError, String(error));
    assert.equal(error.kind, kind, error.message);
    assert.match(error.message, sentence);
    return true;
  };
}

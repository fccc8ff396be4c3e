import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { CephCluster } from '../../../../test/support/ceph.ts';
import { suspend } from '../../../../test/support/suspend.ts';
import { until } from '../../../../test/support/wait.ts';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { CephBackend } from './backend.ts';
import {
  type CephBench,
  CALL_TIMEOUT_MS,
  at,
  backendOf,
  end,
  isKind,
  newVolume,
  openImage,
  putForeignImage,
  startBench,
  watchersOf,
  withCeph,
  writeCode,
} from './testkit.ts';

const ATTACHMENT = { attachmentId: 'att-1', nodeId: 'node-a', generation: 1, mode: 'rw' } as const;

withCeph('ceph: other clients, and our own child', () => {
  let bench: CephBench;
  let cluster: CephCluster;
  let backend: CephBackend;
  before(async () => {
    bench = await startBench();
    ({ cluster, backend } = bench);
  });
  after(() => bench.stop());

  test('sees a client that has the image open, refuses it, and fences it when forced', async () => {
    const made = await backend.create(at(), newVolume());
    await backend.attach(at(), made.image, ATTACHMENT);
    const holder = await openImage(cluster, made.image);
    try {
      assert.equal((await backend.inspect(at(), made.image))?.watchers.length, 1);
      const ordinary = { attachmentId: 'att-1', generation: 1, force: false };
      await assert.rejects(backend.detach(at(), made.image, ordinary), isKind('conflict'));
      await assert.rejects(backend.purge(at(), made.image), isKind('conflict'));
      await assert.rejects(backend.trash(at(), made.image), isKind('conflict'));
      await backend.detach(at(), made.image, { ...ordinary, force: true });
      const facts = await backend.inspect(at(), made.image);
      assert.deepEqual(facts?.watchers, []);
      assert.equal(facts?.attachment, null);
      // -108 is ESHUTDOWN: the fenced client's write does not reach the image.
      assert.equal(await writeCode(holder), -108);
    } finally {
      await end(holder);
    }
  });

  test('refuses to attach an image that somebody else has open', async () => {
    const made = await backend.create(at(), newVolume());
    const holder = await openImage(cluster, made.image);
    try {
      await assert.rejects(backend.attach(at(), made.image, ATTACHMENT), (error: unknown) => {
        assert.ok(error instanceof HoldfastError && error.kind === 'conflict');
        assert.equal((error.details['watchers'] as unknown[]).length, 1);
        return true;
      });
    } finally {
      await end(holder);
    }
  });

  test('waits for a dead server to be forgotten before it takes over an unfinished image', async () => {
    const volume = newVolume();
    await putForeignImage(cluster, volume.image, volume.sizeBytes);
    const holder = await openImage(cluster, volume.image);
    const created = backend.create(at(), volume);
    await until('the create has opened the image', async () => {
      return (await watchersOf(cluster, `${cluster.pool}/${volume.image}`)) === 2;
    });
    await end(holder);
    assert.equal((await created).complete, true);
  });

  test('is not stalled by one slow image, and replaces a child killed meanwhile, leaving no watcher', async () => {
    const slow = await backend.create(at(), newVolume());
    const holder = await openImage(cluster, slow.image);
    // A frozen client does not give up the exclusive lock, so this change waits for Ceph to declare it dead.
    await suspend(holder.pid);
    const stalled = backend.setQos(at(), slow.image, { iops: 100 });
    const outcome = assert.rejects(stalled, isKind('unavailable', /child process ended/));
    let ticks = 0;
    const ticker = setInterval(() => ticks++, 1);
    await until('the change waits for the lock', async () => (await watchersOf(cluster, slow.location)) === 2);
    const quick = await backend.create(at(), newVolume());
    assert.equal((await backend.inspect(at(), quick.image))?.image, quick.image);
    clearInterval(ticker);
    assert.ok(ticks > 0, 'the event loop of this process went on');
    const firstPid = backend.childPid;
    assert.ok(firstPid !== undefined);
    process.kill(firstPid, 'SIGKILL');
    await outcome;
    const facts = await backend.inspect(at(), slow.image);
    assert.notEqual(backend.childPid, firstPid);
    assert.equal(facts?.watchers.length, 1, 'only the frozen client, not our own dead child');
    holder.kill('SIGKILL');
  });

  test('ends a child that hangs, and goes on with a new one', async () => {
    await backend.health(AbortSignal.timeout(CALL_TIMEOUT_MS));
    const hungPid = backend.childPid;
    assert.ok(hungPid !== undefined);
    await suspend(hungPid);
    await assert.rejects(backend.health(AbortSignal.timeout(200)), isKind('unavailable'));
    await until('the child has ended', () => backend.childPid === undefined);
    await backend.health(AbortSignal.timeout(CALL_TIMEOUT_MS));
    assert.notEqual(backend.childPid, hungPid);
  });

  test('closes within its bound although Ceph hangs', async () => {
    const closing = backendOf(cluster);
    await closing.health(AbortSignal.timeout(CALL_TIMEOUT_MS));
    await cluster.pause();
    try {
      const stalled = assert.rejects(closing.create(at(), newVolume()), isKind('unavailable'));
      await closing.close();
      await stalled;
      assert.equal(closing.childPid, undefined);
    } finally {
      cluster.resume();
    }
  });
});

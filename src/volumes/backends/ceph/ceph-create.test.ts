import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { CephCluster } from '../../../../test/support/ceph.ts';
import { until } from '../../../../test/support/wait.ts';
import type { CreateImage } from '../backend.ts';
import type { CephBackend } from './backend.ts';
import {
  type CephBench,
  CALL_TIMEOUT_MS,
  MIB,
  assertCreatedOnce,
  at,
  contentOf,
  end,
  detachChild,
  imageId,
  imagesNamed,
  isKind,
  newVolume,
  openImage,
  outcomeOf,
  putForeignImage,
  startBench,
  withCeph,
} from './testkit.ts';

withCeph('ceph: creates and clones that were cut off', () => {
  let bench: CephBench;
  let cluster: CephCluster;
  let backend: CephBackend;
  before(async () => {
    bench = await startBench();
    ({ cluster, backend } = bench);
  });
  after(() => bench.stop());

  test('adopts a create that timed out, wherever it was cut, rather than failing or doubling it', async () => {
    for (const cutAfterMs of [0, 2, 4, 6, 8, 12, 16]) {
      const volume = newVolume();
      const cut = outcomeOf(backend.create(at(1, 300), volume));
      await delay(cutAfterMs);
      await cluster.pause();
      const outcome = await cut.finally(() => cluster.resume());
      assert.ok(outcome === 'done' || outcome === 'unavailable', outcome);
      await assertCreatedOnce(cluster, await backend.create(at(), volume), volume);
    }
  });

  test('adopts a create or clone that was killed, wherever it was cut', async () => {
    const parent = await backend.create(at(), newVolume());
    await end(await openImage(cluster, parent.image));
    await backend.createSnapshot(at(), parent.image, 's1');
    const source = { image: parent.image, snapshot: 's1' };
    // A create has few steps and is soon done; a clone takes several times as long.
    const empty = [0, 2, 4, 6, 8, 10, 14].map((cutAfterMs) => ({ cutAfterMs, volume: newVolume() }));
    const clones = [0, 8, 16, 24, 32, 40, 48, 56].map((cutAfterMs) => {
      return { cutAfterMs, volume: { ...newVolume(), source } as CreateImage };
    });
    for (const { cutAfterMs, volume } of [...empty, ...clones]) {
      await backend.health(AbortSignal.timeout(CALL_TIMEOUT_MS));
      const cut = outcomeOf(backend.create(at(), volume));
      await delay(cutAfterMs);
      const pid = backend.childPid;
      assert.ok(pid !== undefined);
      process.kill(pid, 'SIGKILL');
      const outcome = await cut;
      await until('the child has ended', () => backend.childPid === undefined);
      assert.ok(outcome === 'done' || outcome === 'unavailable', outcome);
      await assertCreatedOnce(cluster, await backend.create(at(), volume), volume);
      if (volume.source !== undefined) assert.match(await contentOf(cluster, volume.image), /^written by another/);
      await backend.purge(at(), volume.image);
      assert.equal(await backend.inspect(at(), volume.image), null);
    }
  });

  test('takes over its own untagged image, but no image that merely has the name', async () => {
    const own = newVolume();
    await putForeignImage(cluster, own.image, own.sizeBytes);
    assert.equal((await backend.create(at(), own)).volumeId, own.volumeId);
    const other = newVolume();
    await putForeignImage(cluster, other.image, other.sizeBytes + MIB);
    await assert.rejects(backend.create(at(), other), isKind('conflict'));
    const renamed = { ...newVolume(), image: 'somebody-elses' };
    await putForeignImage(cluster, renamed.image, renamed.sizeBytes);
    await assert.rejects(backend.create(at(), renamed), isKind('conflict'));
  });

  test('heals a create that was killed between its steps inside Ceph', async () => {
    const volume = newVolume();
    await putForeignImage(cluster, volume.image, volume.sizeBytes);
    const id = await imageId(cluster, volume.image);
    await cluster.run('rados', '-p', cluster.pool, 'rm', `rbd_header.${id}`);
    assert.equal(await backend.inspect(at(), volume.image), null);
    assert.equal((await backend.create(at(), volume)).complete, true);
    assert.deepEqual(await imagesNamed(cluster, volume.image), [volume.image]);
  });

  test('does not take a clone made outside for the volume whose tags it inherited', async () => {
    const made = await backend.create(at(), newVolume());
    await backend.createSnapshot(at(), made.image, 's1');
    const copy = `copy-${randomUUID()}`;
    const version = ['--rbd-default-clone-format', '2'];
    await cluster.run('rbd', 'clone', ...version, `${made.location}@s1`, `${cluster.pool}/${copy}`);
    assert.match(await cluster.run('rbd', 'image-meta', 'list', `${cluster.pool}/${copy}`), /holdfast\.tags/);
    assert.equal((await backend.inspect(at(), copy))?.volumeId, null);
  });

  test('keeps a clone whole, in the trash too, when its parent is purged', async () => {
    const parent = await backend.create(at(), newVolume());
    await end(await openImage(cluster, parent.image));
    await backend.createSnapshot(at(), parent.image, 's1');
    const source = { image: parent.image, snapshot: 's1' };
    const live = await backend.create(at(), { ...newVolume(), source });
    const trashed = await backend.create(at(), { ...newVolume(), source });
    await backend.trash(at(), trashed.image);
    await backend.deleteSnapshot(at(), parent.image, 's1');
    assert.deepEqual(await backend.listSnapshots(at(), parent.image), []);
    await backend.purge(at(), parent.image);
    await backend.restore(at(), trashed.image);
    for (const image of [live.image, trashed.image]) {
      assert.match(await contentOf(cluster, image), /^written by another client/);
    }
  });

  test('keeps a clone whole when its flattening was cut off after Ceph took it off the list of clones', async () => {
    const parent = await backend.create(at(), newVolume());
    await backend.createSnapshot(at(), parent.image, 's1');
    const clone = await backend.create(at(), { ...newVolume(), source: { image: parent.image, snapshot: 's1' } });
    const [parentId, cloneId] = await Promise.all([imageId(cluster, parent.image), imageId(cluster, clone.image)]);
    // What a purge killed at that point leaves: its record, no entry in the list, and the link in the clone's header.
    const clones = [{ poolId: '1', namespace: '', id: cloneId }];
    const record = JSON.stringify({ image_id: parentId, clones });
    await cluster.run('rbd', 'image-meta', 'set', parent.location, 'holdfast.flattening', record);
    await detachChild(cluster, parentId);
    assert.equal((await cluster.run('rbd', 'children', '--all', parent.location)).trim(), '');
    await backend.purge(at(), parent.image);
    assert.deepEqual(await backend.inspect(at(), clone.image), clone);
  });

  test('adopts a finished clone although its source is gone', async () => {
    const parent = await backend.create(at(), newVolume());
    await backend.createSnapshot(at(), parent.image, 's1');
    const clone = { ...newVolume(), source: { image: parent.image, snapshot: 's1' } };
    const made = await backend.create(at(), clone);
    await backend.purge(at(), parent.image);
    assert.deepEqual(await backend.create(at(), clone), made);
  });
});

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import type { CephCluster } from '../../../../test/support/ceph.ts';
import { backendConformance } from '../backend.conformance.ts';
import { type CephBackend, createCephBackend } from './backend.ts';
import { probeLibrbd } from './probe.ts';
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
  withCeph,
  writeCode,
} from './testkit.ts';

withCeph('ceph on a real cluster', () => {
  backendConformance('ceph', async () => {
    const bench = await startBench();
    const opened: CephBackend[] = [];
    return {
      backend: bench.backend,
      reopen: () => {
        const backend = backendOf(bench.cluster);
        opened.push(backend);
        return Promise.resolve(backend);
      },
      putForeignImage: (image: string, sizeBytes: bigint) => putForeignImage(bench.cluster, image, sizeBytes),
      openClient: async (image: string) => {
        const holder = await openImage(bench.cluster, image);
        return { canWrite: async () => (await writeCode(holder)) >= 0, close: () => end(holder) };
      },
      teardown: async () => {
        await Promise.all(opened.map((backend) => backend.close()));
        await bench.stop();
      },
    };
  });

  let bench: CephBench;
  let cluster: CephCluster;
  let backend: CephBackend;
  before(async () => {
    bench = await startBench();
    ({ cluster, backend } = bench);
  });
  after(() => bench.stop());

  test('knows images after a restart, from Ceph and not from a map', async () => {
    const made = await backend.create(at(), newVolume());
    const restarted = backendOf(cluster);
    try {
      assert.deepEqual(await restarted.inspect(at(), made.image), made);
      assert.ok((await restarted.list(at(), { limit: 1000 })).some((facts) => facts.image === made.image));
      await restarted.purge(at(), made.image);
    } finally {
      await restarted.close();
    }
    assert.equal(await backend.inspect(at(), made.image), null);
  });

  test('answers null for an absent image, not an error', async () => {
    assert.equal(await backend.inspect(at(), `vol-${randomUUID()}`), null);
  });

  test('takes the removal of a removed image for success', async () => {
    const made = await backend.create(at(), newVolume());
    await cluster.run('rbd', 'rm', '--no-progress', made.location);
    await backend.purge(at(), made.image);
    await backend.trash(at(), made.image);
    assert.equal(await backend.inspect(at(), made.image), null);
  });

  test('finds the libraries', async () => {
    assert.deepEqual(await probeLibrbd(), { ok: true });
  });

  test('loads no native code into the main process', async () => {
    await backend.health(AbortSignal.timeout(CALL_TIMEOUT_MS));
    assert.doesNotMatch(await readFile('/proc/self/maps', 'utf8'), /koffi|librbd|librados/);
  });

  test('uses all of several monitors, not the last alone', async () => {
    const dead = 'v2:127.0.0.1:1';
    for (const monitors of [
      [dead, ...cluster.monitors],
      [...cluster.monitors, dead],
    ]) {
      const several = createCephBackend({ name: 'ceph', pool: cluster.pool, monitors });
      try {
        assert.match((await several.health(AbortSignal.timeout(CALL_TIMEOUT_MS))).detail, /answers/);
      } finally {
        await several.close();
      }
    }
  });

  test('says in one sentence what it cannot reach', async () => {
    const wrong = [
      [{ pool: 'rbd', monitors: ['v2:127.0.0.1:1', 'v2:127.0.0.1:2'] }, /127\.0\.0\.1:1, v2:127\.0\.0\.1:2/],
      [{ pool: 'absent', conf: cluster.conf }, /no pool "absent"/],
      [{ pool: 'rbd', conf: '/nonexistent/ceph.conf' }, /\/nonexistent\/ceph\.conf does not exist/],
    ] as const;
    for (const [connection, sentence] of wrong) {
      const unreachable = createCephBackend({ name: 'ceph', ...connection });
      try {
        await assert.rejects(unreachable.health(AbortSignal.timeout(CALL_TIMEOUT_MS)), isKind('unavailable', sentence));
      } finally {
        await unreachable.close();
      }
    }
  });

  test('keeps sizes beyond 2^53 exact', async () => {
    // Without an object map, RBD takes more bytes than a double can count; Holdfast itself makes none that large.
    const sizeBytes = (1n << 53n) + 1n;
    const image = `huge-${randomUUID()}`;
    await cluster.run('rbd', 'create', '--size', `${sizeBytes}B`, '--image-feature', 'layering', `rbd/${image}`);
    assert.equal((await backend.inspect(at(), image))?.sizeBytes, sizeBytes);
    const adopted = await backend.adopt(at(), image, { volumeId: `vol-${randomUUID()}`, name: 'huge' });
    assert.equal(adopted.sizeBytes, sizeBytes);
    assert.equal((await backend.resize(at(), image, sizeBytes + 2n)).sizeBytes, sizeBytes + 2n);
    assert.equal((await backend.createSnapshot(at(), image, 's1')).sizeBytes, sizeBytes + 2n);
    await assert.rejects(backend.create(at(), { ...newVolume(), sizeBytes }), isKind('invalid', /at most/));
  });

  test('makes, snapshots and removes an image of 100 TiB in bounded time', async () => {
    const made = await backend.create(at(), { ...newVolume(), sizeBytes: (100n << 40n) + 1n });
    await backend.createSnapshot(at(), made.image, 's1');
    await backend.purge(at(), made.image);
    assert.equal(await backend.inspect(at(), made.image), null);
  });

  test('passes no name to Ceph that means something else there', async () => {
    for (const image of ['pool/image', 'image@snapshot', 'image\0hidden', '']) {
      await assert.rejects(backend.create(at(), { ...newVolume(), image }), isKind('invalid'));
      await assert.rejects(backend.purge(at(), image), isKind('invalid'));
    }
  });

  test('sets limits where librbd keeps them, exactly those asked for', async () => {
    const made = await backend.create(at(), { ...newVolume(), qos: { iops: 500, read_bytes_per_second: 1_000_000 } });
    const limits = () => cluster.run('rbd', 'image-meta', 'list', made.location);
    assert.match(await limits(), /conf_rbd_qos_iops_limit\s+500/);
    assert.match(await limits(), /conf_rbd_qos_read_bps_limit\s+1000000/);
    await backend.setQos(at(), made.image, { write_iops: 7 });
    assert.match(await limits(), /conf_rbd_qos_write_iops_limit\s+7/);
    assert.doesNotMatch(await limits(), /qos_iops_limit|qos_read_bps_limit/);
  });
});

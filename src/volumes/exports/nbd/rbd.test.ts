import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type CephCluster, cephAvailable, startCeph } from '../../../../test/support/ceph.ts';
import { qemuIo } from '../../../../test/support/qemu.ts';
import { temporaryDirectory } from '../../../../test/support/temp.ts';
import { until } from '../../../../test/support/wait.ts';
import { MIB, at, isKind, newSpec } from '../conformance/suite.ts';
import type { ExportLoss, ExportSource, ExportTarget } from '../target.ts';
import { exportConformance } from '../target.conformance.ts';
import { createNbdTarget } from './nbd.ts';
import { anyPorts, nbdHarness, newFile, newRbd, reads, withQemu } from './testkit.ts';

const cephMissing = cephAvailable();

withQemu(
  'nbd on RBD',
  () => {
    exportConformance('nbd on RBD', async () => {
      const cluster = await startCeph();
      const target = createNbdTarget({ ports: anyPorts });
      return nbdHarness(
        target,
        (sizeBytes) => newRbd(cluster, sizeBytes),
        () => cluster.stop(),
      );
    });

    let cluster: CephCluster;
    let target: ExportTarget;
    const losses: ExportLoss[] = [];
    before(async () => {
      cluster = await startCeph();
      target = createNbdTarget({ ports: anyPorts, onLost: (loss) => losses.push(loss) });
    });
    after(async () => {
      await target.close();
      await cluster.stop();
    });

    test('keeps on RBD what was written and flushed before the daemon was killed', async () => {
      const spec = newSpec(await newRbd(cluster, 8n * MIB));
      const live = await target.add(at(), spec);
      await qemuIo(live.connection.uri, 'write -P 0x5a 1M 64k', 'flush');
      await killDaemon(target);
      await until('the loss is told', () => losses.length === 1);
      // Ceph believes in a dead client for 30 s. An owner that knows better cuts it off, and need not wait.
      await blocklistWatchers(cluster, spec.source);
      const again = await target.add(at(), spec);
      assert.deepEqual(again, live);
      assert.equal(await reads(again, 0x5a, 1_048_576), true);
      await qemuIo(again.connection.uri, 'write -P 0x5b 1M 64k', 'flush');
      assert.equal(await reads(again, 0x5b, 1_048_576), true);
      await target.remove(at(), spec.exportId, { force: false });
    });

    test('leaves no watcher on an image that is no longer exported', async () => {
      const spec = newSpec(await newRbd(cluster, 8n * MIB));
      const { source } = spec;
      assert.ok(source.kind === 'rbd');
      const watchers = async (): Promise<number> => {
        const answer = await cluster.run('rbd', 'status', '--format', 'json', `${source.pool}/${source.image}`);
        return (JSON.parse(answer) as { watchers: unknown[] }).watchers.length;
      };
      await target.add(at(), spec);
      assert.equal(await watchers(), 1);
      await target.remove(at(), spec.exportId, { force: false });
      assert.equal(await watchers(), 0);
    });

    test('a cluster that does not answer stalls no export of a file', async () => {
      await using temporary = await temporaryDirectory();
      const first = newSpec(await newRbd(cluster, 8n * MIB));
      await target.add(at(), first);
      const stalledSource = await newRbd(cluster, 8n * MIB);
      await cluster.pause();
      try {
        const stalled = assert.rejects(target.add(at(2_000), newSpec(stalledSource)), isKind('unavailable'));
        const spec = newSpec(await newFile(temporary.path, 4n * MIB));
        const live = await target.add(at(), spec);
        await qemuIo(live.connection.uri, 'write -P 0x11 0 64k', 'flush');
        assert.equal(await reads(live, 0x11, 0), true);
        await target.remove(at(), spec.exportId, { force: false });
        await stalled;
      } finally {
        cluster.resume();
      }
      // What became of the stalled one is found when it is wished for again.
      const spec = newSpec(stalledSource);
      const outcome = await target.add(at(), spec).catch((error: unknown) => error);
      const lives = await target.list(at());
      const served = lives.filter(({ source }) => source.kind === 'rbd' && source.image === stalledSource.image);
      assert.ok(served.length <= 1);
      if (served[0]?.exportId !== spec.exportId) isKind('conflict', { reason: 'stale_export' })(outcome);
    });
  },
  cephMissing === null ? null : `Ceph: ${cephMissing}`,
);

async function killDaemon(target: ExportTarget): Promise<void> {
  const { detail } = await target.health(at().signal);
  const pid = Number(/process (\d+)/.exec(detail)?.[1]);
  assert.ok(pid > 1, detail);
  process.kill(pid, 'SIGKILL');
}

async function blocklistWatchers(cluster: CephCluster, source: ExportSource): Promise<void> {
  assert.ok(source.kind === 'rbd');
  const answer = await cluster.run('rbd', 'status', '--format', 'json', `${source.pool}/${source.image}`);
  const { watchers } = JSON.parse(answer) as { watchers: { address: string }[] };
  assert.equal(watchers.length, 1);
  for (const { address } of watchers) await cluster.run('ceph', 'osd', 'blocklist', 'add', address, '60');
}

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type CephBench, startBench, withCeph } from '../../src/volumes/backends/ceph/testkit.ts';
import { cephAvailable } from '../support/ceph.ts';
import { type Guest, bootGuest } from '../support/guest/guest.ts';
import { testsInside, withGuest } from '../support/guest/with-guest.ts';
import { until } from '../support/wait.ts';
import { hostNqn, otherHostNqn } from './nvme-host.ts';
import { rbdTests } from './nvmeof-rbd.ts';

/** The tests themselves are in `nvmeof.inside.ts`, and those of the port in its conformance suite. */
const TESTS_INSIDE = 26;
/** Beside other tests it takes several times as long as alone. */
const insideTimeoutMs = 300_000;
const image = '/scratch/owned.img';
const cephMissing = cephAvailable();

withGuest('NVMe/TCP exports on a real kernel', () => {
  let guest: Guest;
  let bench: CephBench | undefined;
  before(async () => {
    if (cephMissing === null) bench = await startBench();
    const disks = [{ sizeBytes: 16 * 1024 * 1024, serial: 'plain' }];
    guest = await bootGuest({ modules: ['nvmet-tcp', 'nvme-tcp', 'loop', 'rbd'], disks });
  });
  after(async () => {
    await bench?.stop();
    await guest[Symbol.asyncDispose]();
  });

  test('an export outlives the process that made it, killed while a host writes', async () => {
    await guest.run(['truncate', '-s', '64M', image]);
    const owner = guest.runNode('test/guest/nvmeof-owner.ts', [image, hostNqn]);
    const line = await until('the export', () => /^export (.*)$/m.exec(owner.stdout)?.[1], 60_000);
    const { port, nqn, uuid } = JSON.parse(line) as { port: number; nqn: string; uuid: string };
    const connect = (host: string) =>
      guest.attempt(
        `nvme connect -t tcp -a 127.0.0.1 -s ${port} -n ${nqn} -q ${host} -I ${host.slice(-36)} --nr-io-queues=1`,
      );
    const stranger = await connect(otherHostNqn);
    assert.notEqual(stranger.status, 0, 'a host that is not listed is refused');
    assert.equal((await connect(hostNqn)).status, 0);
    const disk = await until('the disk', async () => {
      const found = await guest.attempt(`grep -lx ${uuid} /sys/block/nvme*/uuid | cut -d/ -f4 | grep -v c`);
      return found.stdout.trim() || null;
    });
    await guest.run(`mkdir -p /mnt/owned && busybox mke2fs -F -b 4096 /dev/${disk} && mount /dev/${disk} /mnt/owned`);
    await guest.run('seq 1 1000 >/mnt/owned/before && sync');
    owner.kill('SIGKILL');
    assert.equal((await owner.ended).signal, 'SIGKILL');
    await guest.run('seq 1001 2000 >/mnt/owned/after && sync && umount /mnt/owned');
    await guest.run(`nvme disconnect -n ${nqn}`);

    // Connected anew, and read from the host's side of things alone.
    assert.equal((await connect(hostNqn)).status, 0);
    const again = await until('the disk again', async () => {
      const found = await guest.attempt(`grep -lx ${uuid} /sys/block/nvme*/uuid | cut -d/ -f4 | grep -v c`);
      return found.stdout.trim() || null;
    });
    const read = await guest.run(
      `mount -o ro /dev/${again} /mnt/owned && cat /mnt/owned/before /mnt/owned/after && umount /mnt/owned`,
    );
    const numbers = Array.from({ length: 2000 }, (_none, index) => String(index + 1));
    assert.deepEqual(read.trim().split('\n'), numbers);
    await guest.run(`nvme disconnect -n ${nqn}`);

    // A later process finds it, knows it for its own, and takes it away.
    const later = await guest.runNode('test/guest/nvmeof-owner.ts', [image, hostNqn, 'remove']).ended;
    assert.equal(later.status, 0, later.stderr);
    assert.match(later.stdout, /^found 1, left 0$/m);
    assert.equal((await guest.run('ls /sys/kernel/config/nvmet/subsystems')).trim(), '');
  });

  test('the laws of the port, and what is special about NVMe', () =>
    testsInside(guest, 'test/guest/nvmeof.inside.ts', TESTS_INSIDE, { timeoutMs: insideTimeoutMs }));

  withCeph('of RBD images', () => rbdTests(() => ({ guest, bench: bench! })));
});

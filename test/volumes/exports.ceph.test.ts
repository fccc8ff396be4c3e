/** Exports of RBD images: what Ceph itself says of their clients, and what is left of them after a force. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { contract } from '../../src/contract.ts';
import { withQemu } from '../../src/volumes/exports/nbd/testkit.ts';
import { cephAvailable } from '../support/ceph.ts';
import { BackendFaults } from '../support/faulty-backend.ts';
import { holdOpen } from '../support/qemu.ts';
import { serveProcess } from '../support/serve-process.ts';
import { until } from '../support/wait.ts';
import {
  attachExported,
  detach,
  exportsOf,
  listenerOf,
  reachesNothing,
  reads,
  sizeSeen,
  untilDead,
  usableUri,
  write,
} from './exported.ts';
import { type RigServer, cephRig, serve } from './rigs.ts';
import { type Hand, MIB } from './world.ts';
import { suspend } from '../support/suspend.ts';

const cephMissing = cephAvailable();

withQemu(
  'volumes on Ceph, exported over NBD',
  () => {
    let rig: Awaited<ReturnType<typeof cephRig>>;
    let server: RigServer;
    let hand: Hand;
    before(async () => {
      rig = await cephRig();
      // A range of its own: another test would take the port of a daemon that was killed before it is there again.
      server = await serve(rig, new BackendFaults(), { 'export-port-first': '23500' });
      hand = server.hand;
    });
    after(async () => {
      await (server as RigServer | undefined)?.stop();
      await (rig as typeof rig | undefined)?.[Symbol.asyncDispose]();
    });

    test('keep what was written through one export for the next, and leave no client behind', async () => {
      const volume = await hand.create('kept');
      const first = await attachExported(hand, volume);
      await write(first.uri, 0x11);
      assert.equal((await hand.facts(volume))?.watchers.length, 1, 'Ceph sees the daemon');
      const resize = { params: { volume }, body: { size_bytes: 9 * MIB } };
      await hand.completed((await hand.client.call(contract.resizeVolume, resize)).id);
      assert.equal(await sizeSeen(first.uri), 9 * MIB);
      assert.equal((await detach(hand, volume)).error, null);
      assert.deepEqual((await hand.facts(volume))?.watchers, []);
      await reachesNothing(first.uri);
      const second = await attachExported(hand, volume, { node_id: 'node-b' });
      assert.equal(await reads(second.uri, 0x11), true);
      assert.equal((await detach(hand, volume)).error, null);
      await hand.assertTrue(volume, 'available');
    });

    test('a daemon that crashed is replaced within seconds, although Ceph believes in it for half a minute', async () => {
      const volume = await hand.create('crashed');
      const { uri, port } = await attachExported(hand, volume);
      await write(uri, 0x22);
      const pid = await listenerOf(port);
      const beganAt = performance.now();
      process.kill(pid, 'SIGKILL');
      await until('the loss is noticed', async () => (await exportsOf(hand, volume))[0]?.state !== 'active');
      const again = await usableUri(hand, volume, 60_000);
      assert.equal(again, uri, 'clients find it where it was');
      assert.equal(await reads(again, 0x22), true);
      await write(again, 0x23);
      const seconds = (performance.now() - beganAt) / 1000;
      assert.ok(seconds < 25, `usable again after ${seconds} s`);
      assert.equal((await detach(hand, volume)).error, null);
      assert.deepEqual((await hand.facts(volume))?.watchers, []);
    });

    test('a forced detach ends although the daemon is frozen: its client is fenced, and other exports come back', async () => {
      const [volume, other] = [await hand.create('frozen'), await hand.create('beside')];
      const { uri, port } = await attachExported(hand, volume);
      const beside = await attachExported(hand, other);
      await write(beside.uri, 0x44);
      const [address] = (await hand.facts(volume))!.watchers;
      const client = await holdOpen(uri);
      try {
        assert.match(await client.command('write -P 0x45 0 64k'), /wrote 65536/);
        await suspend(await listenerOf(port));
        assert.equal((await detach(hand, volume, { force: true })).error, null);
        await assertFenced(volume, address!);
        assert.doesNotMatch(await client.command('write -P 0x46 0 64k'), /wrote 65536/);
      } finally {
        await client.disconnect();
      }
      await hand.assertTrue(volume, 'available');
      assert.equal(await reads(await usableUri(hand, other), 0x44), true);
      assert.equal((await detach(hand, other)).error, null);
    });

    test('a forced detach from a dead host fences what it left behind, and a late write never arrives', async () => {
      const flags = { ...rig.flags, 'data-dir': `${rig.flags['data-dir']}/dead`, 'node-id': 'gone' };
      const child = await serveProcess(flags);
      const dying = rig.hand(child.client);
      const volume = await dying.create('orphaned');
      const { uri, port } = await attachExported(dying, volume);
      const [address] = (await dying.facts(volume))!.watchers;
      const daemon = await listenerOf(port);
      const client = await holdOpen(uri);
      try {
        assert.match(await client.command('write -P 0x51 0 64k'), /wrote 65536/);
        assert.match(await client.command('flush'), /^\s*$/);
        // A machine that is cut off: its agent is heard no more, and its daemon is not ended by anybody.
        await orphan(daemon);
        await suspend(daemon);
        await child.kill();
        await using next = await serve(rig, new BackendFaults(), { ...flags, agent: 'off', 'host-dead-after': '1s' });
        await untilDead(next.hand, 'gone');
        const refusal = await detach(next.hand, volume);
        assert.match(refusal.error?.error ?? '', /Host gone is dead/);
        await next.hand.assertTrue(volume, 'attached');
        assert.equal((await detach(next.hand, volume, { force: true })).error, null);
        await assertFenced(volume, address!);
        await next.hand.assertTrue(volume, 'available');
        process.kill(daemon, 'SIGCONT');
        const late = `${await client.command('write -P 0x52 0 64k')}${await client.command('flush')}`;
        assert.match(late, /shutdown|error|failed/i);
        process.kill(daemon, 'SIGKILL');
      } finally {
        if (existsSync(`/proc/${daemon}`)) process.kill(daemon, 'SIGKILL');
        await client.disconnect();
        await child.kill();
      }
      await using back = await serve(rig, new BackendFaults(), flags);
      const again = await attachExported(back.hand, volume, { node_id: 'node-b' });
      assert.equal(await reads(again.uri, 0x51), true);
      assert.equal((await detach(back.hand, volume)).error, null);
    });

    async function assertFenced(volume: string, address: string): Promise<void> {
      const list = await rig.cluster.run('ceph', 'osd', 'blocklist', 'ls');
      assert.ok(list.includes(address), `${address} is on the blocklist: ${list}`);
      assert.deepEqual((await hand.facts(volume))?.watchers, []);
    }
  },
  cephMissing === null ? null : `Ceph: ${cephMissing}`,
);

/** Takes a daemon's watcher away, which would end it together with its server. */
async function orphan(daemon: number): Promise<void> {
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === daemon) continue;
    const text = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
    // After the name in brackets: state, parent, process group (proc(5)).
    const [, , group] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    if (Number(group) === daemon) process.kill(Number(pid), 'SIGKILL');
  }
}

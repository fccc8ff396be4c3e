/** A host that is slow is told from one that is dead, and one that comes back serves again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contract } from '../../src/contract.ts';
import { withQemu } from '../../src/volumes/exports/nbd/testkit.ts';
import { BackendFaults } from '../support/faulty-backend.ts';
import { serveProcess } from '../support/serve-process.ts';
import { attachExported, detach, reads, untilDead, usableUri, write } from './exported.ts';
import { type Rig, fileRig, serve } from './rigs.ts';
import { refused } from './world.ts';

withQemu('an exported volume whose host', () => {
  test('is slow is waited for; whose host is dead is not, and is attached as before', async () => {
    await using rig = await fileRig();
    const volume = await crashWithExport(rig);
    {
      const flags = { agent: 'off', 'backend-timeout': '3s', 'volume-retry-max-attempts': '1' };
      await using server = await serve(rig, new BackendFaults(), flags);
      const beganAt = performance.now();
      const { error } = await detach(server.hand, volume);
      assert.match(error?.error ?? '', /did not answer in time/);
      assert.ok(performance.now() - beganAt >= 2_500, 'it was waited for');
      const { state } = await server.hand.volume(volume);
      assert.equal(state, 'error', 'what became of the export is not known');
      await server.hand.reconcile(volume);
      await server.hand.assertTrue(volume, 'attached');
    }
    {
      await using server = await serve(rig, new BackendFaults(), { agent: 'off', 'host-dead-after': '1s' });
      const { hand } = server;
      await untilDead(hand, 'here');
      for (const force of [false, true]) {
        const { error, steps } = await detach(hand, volume, { force });
        assert.match(error?.error ?? '', /Host here is dead/);
        assert.equal(steps?.at(-1)?.attempts, 1, 'nothing is asked of it again');
        const { reason } = await hand.assertTrue(volume, 'attached');
        assert.match(reason ?? '', /Host here is dead/);
      }
      const other = await hand.create('other');
      const body = { node_id: 'n', transport: 'nbd' as const };
      const call = hand.client.call(contract.attachVolume, { params: { volume: other }, body });
      assert.match((await refused(503, call)).message, /Host here is dead/);
      await hand.assertTrue(other, 'available');
    }
    await using server = await serve(rig, new BackendFaults());
    assert.equal(await reads(await usableUri(server.hand, volume), 0x33), true);
    assert.equal((await detach(server.hand, volume)).error, null);
    await server.hand.assertTrue(volume, 'available');
  });
});

/** Attaches a volume with an export, and ends the server with its agent without warning. */
async function crashWithExport(rig: Rig): Promise<string> {
  Object.assign(rig.flags, { 'node-id': 'here' });
  const server = await serveProcess(rig.flags);
  const hand = rig.hand(server.client);
  const volume = await hand.create('crashed');
  const { uri } = await attachExported(hand, volume);
  await write(uri, 0x33);
  await server.kill();
  return volume;
}

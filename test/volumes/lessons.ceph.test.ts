/** The lessons that only a real cluster with real clients can prove; see `lessons.test.ts` for the others. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { contract } from '../../src/contract.ts';
import { end, openImage, writeCode } from '../../src/volumes/backends/ceph/testkit.ts';
import { BackendFaults } from '../support/faulty-backend.ts';
import { type RigServer, cephRig, serve, whereCephIs } from './rigs.ts';
import type { Hand } from './world.ts';

whereCephIs('lessons on a real Ceph', () => {
  let rig: Awaited<ReturnType<typeof cephRig>>;
  let server: RigServer;
  let hand: Hand;
  before(async () => {
    rig = await cephRig();
    server = await serve(rig, new BackendFaults());
    hand = server.hand;
  });
  after(async () => {
    await (server as RigServer | undefined)?.stop();
    await (rig as typeof rig | undefined)?.[Symbol.asyncDispose]();
  });

  test('lessons 8 and 9: a forced detach cuts the old client off at once, and the next one can write', async () => {
    const id = await hand.create('fenced');
    await hand.attach(id, 'node-a');
    const old = await openImage(rig.cluster, id);
    try {
      const detach = async (force: boolean) => {
        const request = { params: { volume: id }, body: { force } };
        return hand.ended((await hand.client.call(contract.detachVolume, request)).id);
      };
      assert.equal((await detach(false)).status, 'failed');
      const volume = await hand.volume(id);
      assert.equal(volume.state, 'error');
      assert.notEqual(volume.reason, null);
      await hand.reconcile(id);
      await hand.assertTrue(id, 'attached');

      assert.equal((await detach(true)).status, 'completed');
      assert.deepEqual((await hand.facts(id))?.watchers, []);
      await hand.assertTrue(id, 'available');
      await hand.attach(id, 'node-b');
      // It writes as it opens, so that a fence that reached too far would show here.
      const next = await openImage(rig.cluster, id);
      try {
        assert.ok((await writeCode(next)) >= 0);
        // -108 is ESHUTDOWN: what the old client still wants to write does not reach the image.
        assert.equal(await writeCode(old), -108);
      } finally {
        await end(next);
      }
    } finally {
      await end(old);
    }
  });

  test('an image that somebody else has open is not attached, and the volume says who has it', async () => {
    const id = await hand.create('open');
    const holder = await openImage(rig.cluster, id);
    try {
      const request = { params: { volume: id }, body: { node_id: 'node-a' } };
      const attach = await hand.ended((await hand.client.call(contract.attachVolume, request)).id);
      assert.equal(attach.status, 'failed');
      assert.equal((await hand.volume(id)).state, 'error');
    } finally {
      await end(holder);
    }
    await hand.reconcile(id);
    await hand.assertTrue(id, 'available');
  });

  test('lesson 10: a clone is whole after its parent was purged', async () => {
    const parent = await hand.create('parent');
    const clone = await hand.create('clone', { snapshot_id: await hand.snapshot(parent, 'base') });
    await hand.delete(parent);
    await hand.completed((await hand.client.call(contract.purgeVolume, { params: { volume: parent } })).id);
    await hand.assertTrue(clone, 'available');
    await hand.assertTrue(parent, 'deleted');
    assert.doesNotMatch(await rig.cluster.run('rbd', 'info', `${rig.cluster.pool}/${clone}`), /parent:/);
  });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { contract } from '../../src/contract.ts';
import type { CreateImage } from '../../src/volumes/backends/backend.ts';
import { until } from '../support/wait.ts';
import { withServer } from './rigs.ts';
import { refused } from './world.ts';

describe('from error', () => {
  test('an absent image goes by itself over pending and creating to available', () =>
    withServer({}, async (hand, rig) => {
      const id = await hand.inError('absent');
      rig.disk!.live.delete(id);
      await hand.snapshots(id);
      assert.equal((await hand.reconcile(id)).status, 'completed');
      await hand.assertTrue(id, 'available');
      const query = { volume_id: id, limit: 3 };
      const { items } = await hand.client.call(contract.listEvents, { query });
      assert.deepEqual(
        items.toReversed().map(({ data }) => data['state']),
        ['pending', 'creating', 'available'],
      );
    }));

  test('an image that was cut off is completed, from its snapshot when it is a clone', () =>
    withServer({}, async (hand, rig, faults) => {
      const parent = await hand.create('parent');
      const clone = await hand.create('cut-off', { snapshot_id: await hand.snapshot(parent, 'base') });
      await hand.breakAttach(clone);
      rig.disk!.change(rig.disk!.live.get(clone)!, { complete: false });
      await hand.reconcile(clone);
      await hand.assertTrue(clone, 'available');
      const [wanted] = faults.calls.findLast(({ verb }) => verb === 'create')!.args as [CreateImage];
      assert.deepEqual(wanted.source, { image: parent, snapshot: 'base' });
    }));

  test('a clone whose image and snapshot are both gone stays in error, rather than come back empty', () =>
    withServer({}, async (hand, rig) => {
      const parent = await hand.create('parent');
      const clone = await hand.create('clone', { snapshot_id: await hand.snapshot(parent, 'base') });
      const removal = { params: { volume: parent, snapshot: 'base' } };
      await hand.completed((await hand.client.call(contract.deleteSnapshot, removal)).id);
      rig.disk!.live.delete(clone);
      await hand.runReconciler();
      assert.equal((await hand.reconcile(clone)).status, 'failed');
      const volume = await hand.volume(clone);
      assert.equal(volume.state, 'error');
      assert.match(volume.reason!, /snapshot/);
      await hand.delete(clone);
    }));

  test('limits are set again with an image that is made anew', () =>
    withServer({}, async (hand, rig) => {
      const id = await hand.create('limited');
      const request = { params: { volume: id }, body: { iops: 100 } };
      await hand.completed((await hand.client.call(contract.setVolumeQos, request)).id);
      rig.disk!.live.delete(id);
      await hand.runReconciler();
      await hand.reconcile(id);
      assert.deepEqual(rig.disk!.live.get(id)?.qos, { iops: 100 });
    }));

  test('snapshots that went with the image are not told any more', () =>
    withServer({}, async (hand, rig) => {
      const id = await hand.create('absent');
      await hand.snapshot(id, 's1');
      rig.disk!.live.delete(id);
      await hand.runReconciler();
      await hand.reconcile(id);
      await hand.assertTrue(id, 'available');
      assert.deepEqual(await hand.snapshots(id), []);
    }));

  test('an image that is attached makes the volume attached there, also when this store never heard of it', () =>
    withServer({}, async (hand, rig) => {
      const id = await hand.inError('attached');
      const attachment = { attachmentId: 'att-of-before', nodeId: 'node-z', generation: 7, mode: 'rw' as const };
      rig.disk!.change(rig.disk!.live.get(id)!, { attachment });
      await hand.reconcile(id);
      const volume = await hand.assertTrue(id, 'attached');
      assert.equal(volume.node_id, 'node-z');
      const detach = await hand.client.call(contract.detachVolume, { params: { volume: id }, body: {} });
      await hand.completed(detach.id);
      await hand.attach(id, 'node-a');
      assert.ok((await hand.assertTrue(id, 'attached')).attachments[0]!.generation > 7);
    }));

  test('a volume that is attached can be deleted only after its attachment is gone in the real system', () =>
    withServer({}, async (hand, rig, faults) => {
      const id = await hand.create('attached');
      await hand.attach(id, 'node-a');
      faults.refuse('detach');
      const detach = await hand.client.call(contract.detachVolume, { params: { volume: id }, body: {} });
      await hand.ended(detach.id);
      faults.clear();
      await hand.delete(id);
      assert.equal(rig.disk!.trash.get(id)?.attachment, null);
      const restore = await hand.client.call(contract.restoreVolume, { params: { volume: id }, body: {} });
      await hand.completed(restore.id);
      await hand.assertTrue(id, 'available');
      await hand.attach(id, 'node-b');
    }));
});

describe('names and the trash', () => {
  test('a name is free after a deletion; then a restore is 409, and works under a new name', () =>
    withServer({}, async (hand) => {
      const id = await hand.create('name');
      await hand.delete(id);
      await hand.create('name');
      const restore = (body: { name?: string }) =>
        hand.client.call(contract.restoreVolume, { params: { volume: id }, body });
      await refused(409, restore({}));
      await hand.completed((await restore({ name: 'new-name' })).id);
      assert.equal((await hand.assertTrue(id, 'available')).name, 'new-name');
    }));

  test('a volume on its way out for good is not restored as an empty one', () =>
    withServer({}, async (hand, _rig, faults) => {
      const id = await hand.create('purged');
      await hand.delete(id);
      const held = faults.hold('purge', 'before');
      const purge = await hand.client.call(contract.purgeVolume, { params: { volume: id } });
      await held.reached;
      await refused(409, hand.client.call(contract.restoreVolume, { params: { volume: id }, body: {} }));
      held.release();
      await hand.completed(purge.id);
    }));

  test('the trash is emptied in the end although a purge has failed', () =>
    withServer({ 'volume-trash-retention': '1ms' }, async (hand, _rig, faults) => {
      const id = await hand.create('expired');
      faults.refuse('purge');
      await hand.delete(id);
      const empty = () => hand.client.call(contract.runKeeper, { params: { name: 'volume-trash' }, body: {} });
      await until('a purge has failed', async () => {
        await empty();
        return (await hand.history(id)).includes('purge_failed');
      });
      faults.clear();
      await until('the volume is purged', async () => {
        await empty();
        return (await hand.volume(id)).trash_expires_at === null;
      });
      assert.equal(await hand.facts(id), null);
    }));
});

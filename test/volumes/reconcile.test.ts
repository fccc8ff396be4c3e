import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { contract } from '../../src/contract.ts';
import { createMemoryBackend } from '../../src/volumes/backends/memory/memory.ts';
import { BackendFaults } from '../support/faulty-backend.ts';
import { until } from '../support/wait.ts';
import { type Rig, memoryRig, serve } from './rigs.ts';
import { type Hand, MIB, refused } from './world.ts';

/** A server on a memory disk, for one test. */
async function withServer(
  flags: Readonly<Record<string, string>>,
  body: (hand: Hand, rig: Rig, faults: BackendFaults) => Promise<void>,
): Promise<void> {
  await using rig = await memoryRig();
  const faults = new BackendFaults();
  await using server = await serve(rig, faults, flags);
  await body(server.hand, rig, faults);
}

/** A volume whose image disappears while the server is down, and a server with these settings that starts after that. */
async function afterLoss(
  flags: Readonly<Record<string, string>>,
  body: (hand: Hand, id: string) => Promise<void>,
): Promise<void> {
  await using rig = await memoryRig();
  const faults = new BackendFaults();
  let id: string;
  {
    await using first = await serve(rig, faults);
    id = await first.hand.create('lost');
    await first.hand.attach(id, 'node-a');
    await first.hand.create('kept');
  }
  rig.disk!.live.delete(id);
  await using second = await serve(rig, faults, flags);
  await until('the first comparison has ended', async () => {
    const { items } = await second.hand.client.call(contract.listKeepers);
    const { runs, running } = items.find(({ name }) => name === 'volume-reconciler')!;
    return runs > 1 && !running;
  });
  await body(second.hand, id);
  await second.hand.assertTrue((await second.hand.volume('kept')).id, 'available');
}

describe('volumes whose image is gone', () => {
  test('at start, `error` says so on the volume', () =>
    afterLoss({ 'reconcile-db-only': 'error' }, async (hand, id) => {
      const volume = await hand.volume(id);
      assert.equal(volume.state, 'error');
      assert.match(volume.reason!, /no image/);
      assert.equal((await hand.history(id)).at(-1), 'lost');
    }));

  test('at start, `delete` deletes the volume, and its name is free', () =>
    afterLoss({ 'reconcile-db-only': 'delete' }, async (hand, id) => {
      const volume = await hand.assertTrue(id, 'deleted');
      assert.equal(volume.node_id, null);
      assert.deepEqual((await hand.history(id)).slice(-3), ['lost', 'delete', 'deleted']);
      await hand.create('lost');
    }));

  test('at start, `ignore` leaves the volume as it is', () =>
    afterLoss({ 'reconcile-db-only': 'ignore' }, async (hand, id) => {
      assert.equal((await hand.volume(id)).state, 'attached');
    }));

  test('later, the period finds them without a restart', () =>
    withServer({ 'reconcile-interval': '100ms' }, async (hand, rig) => {
      const id = await hand.create('lost');
      rig.disk!.live.delete(id);
      await hand.inState(id, 'error');
    }));

  test('an image in the trash behind a living volume counts as gone, and a reconcile brings it back', () =>
    withServer({}, async (hand, rig) => {
      const id = await hand.create('trashed');
      await createMemoryBackend({ disk: rig.disk! }).trash({ fence: 1, signal: AbortSignal.timeout(1_000) }, id);
      await hand.runReconciler();
      assert.equal((await hand.volume(id)).state, 'error');
      await hand.reconcile(id);
      await hand.assertTrue(id, 'available');
    }));
});

describe('images that no volume knows', () => {
  test('`ignore` leaves them alone', () =>
    withServer({ 'reconcile-backend-only': 'ignore' }, async (hand) => {
      await hand.world.putForeignImage('found', MIB);
      await hand.runReconciler();
      assert.deepEqual((await hand.client.call(contract.listVolumes)).items, []);
    }));

  test('`import` takes them in once, and leaves those with a taken name to people', () =>
    withServer({ 'reconcile-backend-only': 'import' }, async (hand) => {
      await hand.create('taken');
      await hand.world.putForeignImage('taken', MIB);
      await hand.world.putForeignImage('found', MIB);
      await hand.runReconciler();
      await hand.inState('found', 'available');
      await hand.runReconciler();
      const { items } = await hand.client.call(contract.listVolumes);
      assert.deepEqual(items.map(({ name }) => name).toSorted(), ['found', 'taken']);
      await hand.assertTrue((await hand.volume('found')).id, 'available');
      assert.equal((await hand.facts('taken'))?.volumeId, null);
    }));

  test('`import` brings a volume whose row was lost back under its own id and name', () =>
    withServer({ 'reconcile-backend-only': 'import' }, async (hand, rig) => {
      const volumeId = 'vol-01a1fc5d-6468-7000-8f65-50125c0d9dc1';
      rig.disk!.putForeign(volumeId, BigInt(MIB));
      rig.disk!.change(rig.disk!.live.get(volumeId)!, { volumeId, name: 'ours' });
      await hand.runReconciler();
      await hand.inState('ours', 'available');
      await hand.assertTrue(volumeId, 'available');
    }));
});

describe('a backend out of reach', () => {
  test('reconcile answers 503 and the state stays, with the same reason', () =>
    withServer({}, async (hand, _rig, faults) => {
      const id = await hand.inError('out-of-reach');
      const before = await hand.volume(id);
      faults.unreachable('inspect', 'health', 'list');
      await refused(503, hand.client.call(contract.reconcileVolume, { params: { volume: id }, body: {} }));
      assert.deepEqual(await hand.volume(id), before);
    }));

  test('the keeper loses nothing, says why it could not compare, and goes on when it can', () =>
    withServer({}, async (hand, rig, faults) => {
      const id = await hand.create('kept');
      const lost = await hand.create('lost');
      rig.disk!.live.delete(lost);
      for (const verb of ['health', 'inspect'] as const) {
        faults.clear();
        faults.unreachable(verb);
        assert.match((await hand.runReconciler()).last_error ?? '', /cannot be reached/);
        assert.equal((await hand.volume(lost)).state, 'available');
      }
      faults.clear();
      assert.equal((await hand.runReconciler()).last_error, null);
      assert.equal((await hand.volume(lost)).state, 'error');
      await hand.assertTrue(id, 'available');
    }));

  test('operations under way are left to themselves', () =>
    withServer({}, async (hand, _rig, faults) => {
      const held = faults.hold('create', 'before');
      const body = { name: 'under-way', size_bytes: MIB };
      const accepted = await hand.client.call(contract.createVolume, { body });
      await held.reached;
      await hand.runReconciler();
      assert.equal((await hand.volume('under-way')).state, 'creating');
      held.release();
      await hand.completed(accepted.id);
    }));
});

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

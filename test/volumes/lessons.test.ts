/**
 * What others learned about volumes that get stuck, one test for each lesson that concerns this stage. The numbers are
 * those of the design notes. Lessons 6 (reservations), 14 (device names) are for when there are reservations and devices.
 */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { contract } from '../../src/contract.ts';
import { BackendFaults } from '../support/faulty-backend.ts';
import { type Rig, type RigServer, memoryRig, serve } from './rigs.ts';
import { type Hand, MIB, refused } from './world.ts';

let rig: Rig;
let server: RigServer;
let hand: Hand;
const faults = new BackendFaults();
before(async () => {
  rig = await memoryRig();
  server = await serve(rig, faults);
  hand = server.hand;
});
after(async () => {
  await server.stop();
  await rig[Symbol.asyncDispose]();
});
beforeEach(() => faults.clear());

const detach = (id: string, body: { attachment_id?: string; force?: boolean } = {}) =>
  hand.client.call(contract.detachVolume, { params: { volume: id }, body });
const attach = (id: string, node: string) =>
  hand.client.call(contract.attachVolume, { params: { volume: id }, body: { node_id: node } });

test('lesson 1: a state is never reset without a look: what is attached comes back as attached', async () => {
  const id = await hand.create('lesson-1');
  await hand.attach(id, 'node-a');
  faults.refuse('detach');
  await hand.ended((await detach(id)).id);
  assert.equal((await hand.volume(id)).state, 'error');
  await refused(409, attach(id, 'node-b'));
  faults.clear();
  assert.equal((await hand.reconcile(id)).status, 'completed');
  const volume = await hand.assertTrue(id, 'attached');
  assert.equal(volume.node_id, 'node-a');
  await refused(409, hand.client.call(contract.reconcileVolume, { params: { volume: id }, body: {} }));
});

test('lesson 2: a restart adopts what is in flight, with its attempts counted, and no state is reset', async () => {
  await using own = await memoryRig();
  const cut = new BackendFaults();
  let operation: string;
  {
    await using first = await serve(own, cut);
    cut.refuse('create', 1);
    const { reached } = cut.hold('create', 'after');
    const body = { name: 'in-flight', size_bytes: MIB };
    operation = (await first.hand.client.call(contract.createVolume, { body })).id;
    await reached;
  }
  cut.clear();
  await using second = await serve(own, cut);
  const { steps } = await second.hand.completed(operation);
  assert.deepEqual(
    steps!.map(({ attempts }) => attempts),
    [2],
  );
  const { id } = await second.hand.volume('in-flight');
  assert.deepEqual(await second.hand.history(id), ['requested', 'create', 'fail', 'retry', 'created']);
});

test('lesson 3: detaching or deleting what is already gone is success', async () => {
  const id = await hand.create('lesson-3');
  await hand.attach(id, 'node-a');
  rig.disk!.live.delete(id);
  await hand.completed((await detach(id)).id);
  const deletion = await hand.client.call(contract.deleteVolume, { params: { volume: id } });
  await hand.completed(deletion.id);
  const volume = await hand.assertTrue(id, 'deleted');
  assert.equal(volume.trash_expires_at, null, 'what is not there cannot be restored');
  const again = await hand.client.call(contract.deleteVolume, { params: { volume: id } });
  assert.equal(again.id, deletion.id);
});

test('lesson 4: a late detach that names its attachment does not touch a newer one', async () => {
  const id = await hand.create('lesson-4');
  const former = await hand.attach(id, 'node-a');
  const first = await detach(id, { attachment_id: former });
  await hand.completed(first.id);
  await hand.attach(id, 'node-a');
  const late = await detach(id, { attachment_id: former });
  assert.equal(late.id, first.id);
  await hand.assertTrue(id, 'attached');
  await refused(409, detach(id, { attachment_id: 'att-never' }));
});

test('lesson 5: the same attach again is answered by the operation that has done it', async () => {
  const id = await hand.create('lesson-5');
  const held = faults.hold('attach', 'before');
  const first = await attach(id, 'node-a');
  await held.reached;
  assert.equal((await attach(id, 'node-a')).id, first.id);
  held.release();
  await hand.completed(first.id);
  assert.equal((await attach(id, 'node-a')).id, first.id);
  assert.equal(faults.count('attach'), 1);
});

test('lesson 7: a forced detach fences who has the image open; an ordinary one says who that is', async () => {
  const id = await hand.create('lesson-7');
  await hand.attach(id, 'node-a');
  rig.disk!.watchers.set(id, ['10.0.0.7:0/1']);
  const ordinary = await hand.ended((await detach(id)).id);
  assert.equal(ordinary.status, 'failed');
  const volume = await hand.volume(id);
  assert.equal(volume.state, 'error');
  assert.match(volume.reason!, /10\.0\.0\.7/);
  await hand.reconcile(id);
  await hand.completed((await detach(id, { force: true })).id);
  assert.deepEqual((await hand.facts(id))?.watchers, []);
  await hand.assertTrue(id, 'available');
});

test('lesson 10: snapshots go to the trash with their volume and come back, and a clone survives the purge', async () => {
  const id = await hand.create('lesson-10');
  const snapshot = await hand.snapshot(id, 'base');
  const clone = await hand.create('lesson-10-clone', { snapshot_id: snapshot });
  await hand.delete(id);
  const early = hand.client.call(contract.createVolume, { body: { name: 'early', snapshot_id: snapshot } });
  await refused(409, early);
  const restore = await hand.client.call(contract.restoreVolume, { params: { volume: id }, body: {} });
  await hand.completed(restore.id);
  assert.equal((await hand.factsOfSnapshots(id)).length, 1);
  assert.equal((await hand.snapshots(id))[0]!.state, 'available');
  await hand.delete(id);
  await hand.completed((await hand.client.call(contract.purgeVolume, { params: { volume: id } })).id);
  await hand.assertTrue(clone, 'available');
  assert.deepEqual(await hand.snapshots(id), [], 'snapshots of a volume that is gone are gone');
  const orphan = hand.client.call(contract.createVolume, { body: { name: 'orphan', snapshot_id: snapshot } });
  await refused(404, orphan);
});

test('lesson 11: while something fails, its reason, attempt and next retry are on the volume', async () => {
  await using own = await memoryRig();
  const failing = new BackendFaults();
  await using patient = await serve(own, failing, {
    'volume-retry-initial-wait': '10m',
    'volume-retry-max-wait': '10m',
  });
  failing.refuse('create');
  const body = { name: 'lesson-11', size_bytes: MIB };
  await patient.hand.client.call(contract.createVolume, { body });
  const volume = await patient.hand.inState('lesson-11', 'creating_failed');
  assert.match(volume.reason!, /refuses create/);
  assert.equal(volume.attempt, 1);
  assert.ok(Date.parse(volume.next_retry_at!) > Date.parse(volume.updated_at));
  assert.equal(volume.last_operation?.status, 'executing');
});

test('lesson 12: the intent is in the store before the backend is touched', async () => {
  const held = faults.hold('create', 'before');
  const body = { name: 'lesson-12', size_bytes: MIB };
  const accepted = await hand.client.call(contract.createVolume, { body });
  await held.reached;
  const volume = await hand.volume('lesson-12');
  assert.equal(volume.state, 'creating');
  assert.equal(await hand.facts(volume.image), null);
  assert.deepEqual(await hand.history(volume.id), ['requested', 'create']);
  held.release();
  await hand.completed(accepted.id);
});

test('lesson 13: an image that is there already is taken only when it is exactly ours', async () => {
  const id = await hand.inError('lesson-13');
  const image = rig.disk!.live.get(id)!;
  rig.disk!.change(image, { volumeId: 'vol-of-somebody-else' });
  const operation = await hand.reconcile(id);
  assert.equal(operation.status, 'failed');
  const volume = await hand.volume(id);
  assert.equal(volume.state, 'error');
  assert.match(volume.reason!, /vol-of-somebody-else/);
  rig.disk!.change(rig.disk!.live.get(id)!, { volumeId: id });
  await hand.reconcile(id);
  await hand.assertTrue(id, 'available');
});

test('lesson 15: a snapshot that a restart cut off is finished, not left as creating', async () => {
  await using own = await memoryRig();
  const cut = new BackendFaults();
  let id: string;
  let operation: string;
  {
    await using first = await serve(own, cut);
    id = await first.hand.create('lesson-15');
    const { reached } = cut.hold('createSnapshot', 'after');
    const request = { params: { volume: id }, body: { name: 's1' } };
    operation = (await first.hand.client.call(contract.createSnapshot, request)).id;
    await reached;
    assert.equal((await first.hand.snapshots(id))[0]!.state, 'creating');
  }
  cut.clear();
  await using second = await serve(own, cut);
  await second.hand.completed(operation);
  assert.deepEqual(
    (await second.hand.snapshots(id)).map(({ state }) => state),
    ['available'],
  );
  assert.equal((await second.hand.factsOfSnapshots(id)).length, 1);
});

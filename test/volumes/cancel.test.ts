import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { contract } from '../../src/contract.ts';
import { BackendFaults } from '../support/faulty-backend.ts';
import { type Rig, type RigServer, fileRig, memoryRig, serve } from './rigs.ts';
import { type Hand, refused } from './world.ts';

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

/** Asks for an operation while another holds the volume, and cancels it before its turn has come. */
async function cancelInLine(id: string, request: () => Promise<{ readonly id: string }>): Promise<void> {
  const held = faults.hold('resize', 'before');
  const resize = { params: { volume: id }, body: { size_bytes: 64 * 1_048_576 } };
  const first = await hand.client.call(contract.resizeVolume, resize);
  await held.reached;
  const waiting = await request();
  await hand.client.call(contract.cancelOperation, { params: { id: waiting.id }, body: {} });
  assert.equal((await hand.ended(waiting.id)).status, 'cancelled');
  held.release();
  await hand.completed(first.id);
}

test('an attach cancelled before its turn leaves the volume available', async () => {
  const id = await hand.create('attach');
  await cancelInLine(id, () =>
    hand.client.call(contract.attachVolume, { params: { volume: id }, body: { node_id: 'node-a' } }),
  );
  await hand.assertTrue(id, 'available');
  await hand.attach(id, 'node-b');
});

test('a detach cancelled before its turn leaves the volume attached', async () => {
  const id = await hand.create('detach');
  const attachment = await hand.attach(id, 'node-a');
  await cancelInLine(id, () => hand.client.call(contract.detachVolume, { params: { volume: id }, body: {} }));
  assert.equal((await hand.assertTrue(id, 'attached')).attachments[0]!.id, attachment);
});

test('a deletion cancelled before its turn leaves the volume available', async () => {
  const id = await hand.create('delete');
  await cancelInLine(id, () => hand.client.call(contract.deleteVolume, { params: { volume: id } }));
  await hand.assertTrue(id, 'available');
});

test('a cancelled deletion of a volume in error leaves it in error, since nobody has looked', async () => {
  const id = await hand.inError('error');
  const held = faults.hold('inspect', 'before');
  const deletion = await hand.client.call(contract.deleteVolume, { params: { volume: id } });
  await held.reached;
  await hand.client.call(contract.cancelOperation, { params: { id: deletion.id }, body: {} });
  assert.equal((await hand.ended(deletion.id)).status, 'cancelled');
  assert.equal((await hand.volume(id)).state, 'error');
  await hand.reconcile(id);
  await hand.assertTrue(id, 'available');
});

test('a forced detach is refused where clients cannot be cut off, and the volume stays attached', async () => {
  await using files = await fileRig();
  await using own = await serve(files, new BackendFaults());
  const id = await own.hand.create('forced');
  await own.hand.attach(id, 'node-a');
  const call = own.hand.client.call(contract.detachVolume, { params: { volume: id }, body: { force: true } });
  await refused(422, call);
  await own.hand.assertTrue(id, 'attached');
});

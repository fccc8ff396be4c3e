/**
 * Bugs of a daemon that drove volumes of CloudStack before, one test each, so that none of them comes in: those about
 * operations, ids and sizes. What its health and metrics claimed is in `status.test.ts`, devices and exports are with theirs.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { contract } from '../../src/contract.ts';
import { BackendFaults } from '../support/faulty-backend.ts';
import { type CloudStackRig, cloudStackRig, refusalOf } from '../support/cloudstack/rig.ts';
import { GIB } from '../support/cloudstack/world.ts';
import { temporaryDirectory } from '../support/temp.ts';

let rig: CloudStackRig;
before(async () => {
  rig = await cloudStackRig();
});
after(() => rig[Symbol.asyncDispose]());

test('1b.1 a volume has its real state, and waiting for an operation waits for its end', async () => {
  const made = await rig.create('stubs');
  assert.equal(made.state, 'available');
  assert.equal(made.cloudstack_data?.['state'], 'Allocated');
  const vm = rig.simulator.world.addVm();
  const operation = await rig.attach('stubs', vm.id);
  assert.ok(operation.finished_at !== null);
  assert.equal(rig.simulator.world.volumeNamed(made.id).vmId, vm.id);
});

test('1b.2 an attach that a restart cut off goes on, and a detach takes its turn after it', async () => {
  await using directory = await temporaryDirectory();
  const vm = rig.simulator.world.addVm();
  const faults = new BackendFaults();
  const params = { volume: 'cut-off' };
  let attachId: string;
  {
    await using first = await rig.serve({ 'data-dir': directory.path }, { wrapBackend: faults.wrap });
    const { client } = first;
    const created = await client.call(contract.createVolume, { body: { name: 'cut-off', size: '1GiB' } });
    await first.ended(created.operation_id);
    const { reached } = faults.hold('attach', 'after');
    const attach = await client.call(contract.attachVolume, { params, body: { node_id: vm.id } });
    attachId = attach.operation_id;
    await reached;
    // While one is under way the other is refused, and changes nothing.
    assert.equal((await refusalOf(client.call(contract.detachVolume, { params, body: {} }))).status, 409);
  }
  await using second = await rig.serve({ 'data-dir': directory.path });
  assert.equal((await second.ended(attachId)).status, 'completed');
  assert.equal((await second.volume('cut-off')).state, 'attached');
  const detach = await second.client.call(contract.detachVolume, { params, body: {} });
  assert.equal((await second.ended(detach.operation_id)).status, 'completed');
  assert.deepEqual(rig.simulator.world.volumesOf(vm.id), []);
});

test("1b.3 a create's operation names its volume from the first answer on", async () => {
  const { client } = rig.server;
  const accepted = await client.call(contract.createVolume, { body: { name: 'named', size: '1GiB' } });
  const ended = await rig.server.ended(accepted.operation_id);
  const { id } = await rig.server.volume('named');
  assert.deepEqual([accepted.volume_id, ended.volume_id], [id, id]);
});

test('1b.4 sizes are exact: 1.5 GiB is refused and never made 1 GiB, and what CloudStack lists is taken as bytes', async () => {
  const { world } = rig.simulator;
  const body = { name: 'odd', size: '1.5GiB' };
  const { operation_id } = await rig.server.client.call(contract.createVolume, { body });
  const { status, error } = await rig.server.ended(operation_id);
  assert.equal(status, 'failed');
  assert.deepEqual(error?.details?.['allowed_values'], [String(GIB), String(2n * GIB)]);
  const { id, state } = await rig.server.volume('odd');
  assert.equal(state, 'error');
  assert.equal(
    [...world.volumes.values()].some(({ name }) => name === id),
    false,
  );
  const sizeBytes = 3n * GIB + 512n;
  world.addVolume({ name: 'template', sizeBytes, state: 'Ready' });
  const imported = await rig.server.client.call(contract.importVolume, { body: { image: 'template' } });
  await rig.server.ended(imported.operation_id);
  const volume = await rig.server.volume('template');
  assert.deepEqual(
    [String(volume.size_bytes), volume.cloudstack_data?.['size_bytes']],
    [String(sizeBytes), String(sizeBytes)],
  );
});

test('1b.8 deleting an attached volume is refused, and never detaches it behind the back of its user', async () => {
  const { id } = await rig.create('in-use');
  const vm = rig.simulator.world.addVm();
  await rig.attach('in-use', vm.id);
  const detaches = rig.simulator.count('detachVolume');
  const refusal = await refusalOf(rig.delete('in-use'));
  assert.deepEqual([refusal.status, refusal.body.code], [409, 'CONFLICT']);
  assert.equal(rig.simulator.count('detachVolume'), detaches);
  assert.equal(rig.simulator.world.volumeNamed(id).vmId, vm.id);
});

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { contract } from '../../src/contract.ts';
import { type CloudStackRig, cloudStackRig, refusalOf } from '../support/cloudstack/rig.ts';
import { GIB } from '../support/cloudstack/world.ts';
import { until } from '../support/wait.ts';

let rig: CloudStackRig;
before(async () => {
  rig = await cloudStackRig();
});
after(() => rig[Symbol.asyncDispose]());

test('a volume with an offering and a zone: attach, resize, snapshot, detach, delete, each seen in CloudStack', async () => {
  const { world } = rig.simulator;
  const beganAt = Date.now();
  const place = { disk_offering_id: world.fixedOffering.id, zone_id: world.otherZoneId };
  const made = await rig.create('db-1', { size: '5GiB', ...place });
  assert.deepEqual(made.parameters, place);
  assert.equal(made.linux_data, null);
  assert.deepEqual([made.last_operation?.type, made.last_operation?.status], ['volume.create', 'completed']);
  const { cloudstack_data: data } = made;
  assert.deepEqual(
    [data?.['state'], data?.['type'], data?.['zone_id'], data?.['disk_offering_id'], data?.['size_bytes']],
    ['Allocated', 'DATADISK', place.zone_id, place.disk_offering_id, String(5n * GIB)],
  );
  assert.ok(Date.parse(data!.as_of) >= beganAt);

  const vm = world.addVm({ zoneId: world.otherZoneId });
  assert.equal((await rig.attach('db-1', vm.id)).status, 'completed');
  const attached = await rig.server.volume('db-1');
  assert.deepEqual([attached.state, attached.node_id], ['attached', vm.id]);
  const seen = attached.cloudstack_data;
  assert.deepEqual([seen?.['state'], seen?.['vm_id'], seen?.['device_id']], ['Ready', vm.id, 1]);

  const params = { volume: 'db-1' };
  const resize = await rig.server.client.call(contract.resizeVolume, { params, body: { size: '7GiB' } });
  assert.equal((await rig.server.ended(resize.operation_id)).status, 'completed');
  const grown = await rig.server.volume('db-1');
  assert.deepEqual(
    [String(grown.size_bytes), grown.cloudstack_data?.['size_bytes']],
    [String(7n * GIB), String(7n * GIB)],
  );

  const snapshot = await rig.server.client.call(contract.createSnapshot, { params, body: { name: 'before' } });
  assert.equal((await rig.server.ended(snapshot.operation_id)).status, 'completed');
  const { items } = await rig.server.client.call(contract.listSnapshots, { params });
  assert.deepEqual(
    items.map(({ name, state }) => [name, state]),
    [['before', 'available']],
  );

  assert.equal((await rig.detach('db-1')).status, 'completed');
  const detached = await rig.server.volume('db-1');
  assert.deepEqual([detached.state, detached.cloudstack_data?.['vm_id']], ['available', null]);
  assert.equal((await rig.delete('db-1', true)).status, 'completed');
  assert.equal(
    [...world.volumes.values()].some(({ name }) => name === made.id),
    false,
  );
});

test('attach-root: a running VM is refused at once, a stopped one gets the disk, whose type is ROOT then', async () => {
  const { world } = rig.simulator;
  const { id } = await rig.create('root-1');
  const vm = world.addVm({ state: 'Running' });
  const before = await rig.server.volume('root-1');
  const refusal = await refusalOf(rig.attachRoot('root-1', vm.id));
  assert.equal(refusal.status, 409);
  assert.equal(refusal.message, `VM ${vm.id} is Running; a root disk can be attached to a stopped VM only.`);
  assert.deepEqual(await rig.server.volume('root-1'), before);

  vm.state = 'Stopped';
  assert.equal((await rig.attachRoot('root-1', vm.id)).status, 'completed');
  const attached = await rig.server.volume('root-1');
  assert.deepEqual([attached.cloudstack_data?.['type'], attached.cloudstack_data?.['device_id']], ['ROOT', 0]);
  assert.deepEqual([attached.attachments[0]?.device, attached.attachments[0]?.node_id], ['root', vm.id]);
  assert.deepEqual([world.volumeNamed(id).type, world.volumeNamed(id).deviceId], ['ROOT', 0]);
  // The same wish again is fulfilled, also when the VM has started since; a data disk at that VM is another wish.
  vm.state = 'Running';
  assert.equal((await rig.attachRoot('root-1', vm.id)).id, attached.last_operation?.id);
  assert.equal((await refusalOf(rig.attach('root-1', vm.id))).status, 409);

  assert.equal((await rig.detach('root-1')).error?.details?.['cloudstack_error_code'], 431);
  vm.state = 'Stopped';
  await rig.create('root-2');
  const { status, error } = await rig.attachRoot('root-2', vm.id);
  assert.deepEqual([status, error?.code], ['failed', 'CLOUDSTACK_ERROR']);
  assert.equal(error?.details?.['cloudstack_message'], 'Vm already has root volume attached to it');
});

test('what CloudStack does not know is passed through: 422, its code and its text, and nothing is accepted', async () => {
  await rig.create('lonely');
  const unknown = '00000000-0000-4000-8000-00000000dead';
  const refusal = await refusalOf(rig.attachRoot('lonely', unknown));
  assert.deepEqual([refusal.status, refusal.body.code], [422, 'CLOUDSTACK_ERROR']);
  assert.equal(refusal.body.details?.['cloudstack_error_code'], 431);
  assert.match(String(refusal.body.details?.['cloudstack_message']), /entity does not exist/);
  assert.equal((await rig.server.volume('lonely')).state, 'available');

  const { client } = rig.server;
  const body = { name: 'nowhere', size: '1GiB', zone_id: unknown };
  const { operation_id } = await client.call(contract.createVolume, { body });
  const { error } = await rig.server.ended(operation_id);
  assert.deepEqual([error?.code, error?.details?.['cloudstack_cs_error_code']], ['CLOUDSTACK_ERROR', 9999]);
  assert.equal((await rig.server.volume('nowhere')).state, 'error');
});

test('an offering and a zone are refused at once by backends that have none', async () => {
  const create = (fields: Record<string, string>) =>
    rig.server.client.call(contract.createVolume, { body: { name: 'x', size: '1GiB', backend: 'file', ...fields } });
  for (const field of ['disk_offering_id', 'zone_id']) {
    const { status, body } = await refusalOf(create({ [field]: 'any' }));
    assert.deepEqual([status, body.details?.['field']], [400, field]);
    assert.match(body.error, /The file backend does not know/);
  }
  const made = await rig.create('plain', { backend: 'file' });
  assert.deepEqual([made.cloudstack_data, made.parameters], [null, {}]);
  const refusal = await refusalOf(rig.attachRoot('plain', 'vm-1'));
  assert.deepEqual([refusal.status, refusal.body.details?.['capability']], [422, 'rootAttach']);
});

test('a volume of CloudStack that others made is imported, with what CloudStack says of it', async () => {
  const { world } = rig.simulator;
  const { id } = world.addVolume({ name: 'legacy', sizeBytes: 3n * GIB, state: 'Ready' });
  const accepted = await rig.server.client.call(contract.importVolume, { body: { image: 'legacy' } });
  assert.equal((await rig.server.ended(accepted.operation_id)).status, 'completed');
  const { size_bytes, cloudstack_data } = await rig.server.volume('legacy');
  assert.deepEqual([String(size_bytes), cloudstack_data?.['id']], [String(3n * GIB), id]);
});

test('lost replies: a create, an attach and a detach whose answers are lost happen once', async () => {
  const { simulator } = rig;
  const vm = simulator.world.addVm();
  const counts = () => ['createVolume', 'attachVolume', 'detachVolume'].map((command) => simulator.count(command));
  const before = counts();
  simulator.fail('createVolume', 'drop_after');
  await rig.create('lost');
  simulator.fail('attachVolume', 'drop_after');
  assert.equal((await rig.attach('lost', vm.id)).status, 'completed');
  simulator.fail('detachVolume', 'drop_after');
  assert.equal((await rig.detach('lost')).status, 'completed');
  assert.deepEqual(
    counts(),
    before.map((count) => count + 1),
  );
  assert.equal(simulator.world.volumesOf(vm.id).length, 0);
});

test('late detach: what an agent finishes after its job failed is seen, and a new attach stands', async () => {
  const { simulator } = rig;
  const [first, second] = [simulator.world.addVm(), simulator.world.addVm()];
  const { id } = await rig.create('late');
  await rig.attach('late', first.id);
  simulator.fail('detachVolume', 'job_acts_late');
  const detaching = rig.detach('late');
  await until('the agent is late', () => simulator.jobs.late.length > 0);
  assert.equal((await detaching).status, 'completed');
  simulator.jobs.actLate();
  assert.equal((await rig.attach('late', second.id)).status, 'completed');
  assert.equal(simulator.world.volumeNamed(id).vmId, second.id);
  assert.equal((await rig.server.volume('late')).cloudstack_data?.['vm_id'], second.id);
});

test('what is changed in CloudStack itself is seen by the next comparison, which says when it looked', async () => {
  const { id } = await rig.create('watched');
  const before = (await rig.server.volume('watched')).cloudstack_data;
  const volume = rig.simulator.world.volumeNamed(id);
  Object.assign(volume, { state: 'Ready', vmId: rig.simulator.world.addVm().id, deviceId: 5 });
  const { client } = rig.server;
  await client.call(contract.runKeeper, { params: { name: 'volume-reconciler' }, body: {} });
  const seen = await until('it is seen', async () => {
    const { cloudstack_data: data, version } = await rig.server.volume('watched');
    return data?.['device_id'] === 5 ? { data, version } : null;
  });
  assert.ok(Date.parse(seen.data.as_of) > Date.parse(before!.as_of));
  assert.equal(seen.data['vm_id'], volume.vmId);
});

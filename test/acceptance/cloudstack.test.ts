import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contract } from '../../src/contract.ts';
import { CloudStackSimulator } from '../support/cloudstack/simulator.ts';
import { testServer } from '../support/server.ts';

test('volumes on CloudStack, through the API', async () => {
  const simulator = await CloudStackSimulator.start();
  try {
    const { world, url, apiKey, secretKey } = simulator;
    await using server = await testServer({
      'storage-backend': 'cloudstack',
      'cloudstack-api-url': url,
      'cloudstack-api-key': apiKey,
      'cloudstack-secret-key': secretKey,
      'cloudstack-zone-id': world.zoneId,
      'cloudstack-disk-offering-id': world.customOffering.id,
      'cloudstack-poll-interval': '2ms',
    });
    const { client } = server;
    const { items: backends } = await client.call(contract.listBackends, {});
    assert.equal(backends.find(({ name }) => name === 'cloudstack')?.status, 'healthy');

    const accepted = await client.call(contract.createVolume, { body: { name: 'data', size: '2GiB' } });
    assert.equal((await server.ended(accepted.operation_id)).status, 'completed');
    const params = { volume: 'data' };
    const vm = world.addVm();
    const attach = await client.call(contract.attachVolume, { params, body: { node_id: vm.id } });
    assert.equal((await server.ended(attach.operation_id)).status, 'completed');
    assert.equal(world.volumesOf(vm.id).length, 1);

    const detach = await client.call(contract.detachVolume, { params, body: {} });
    assert.equal((await server.ended(detach.operation_id)).status, 'completed');
    assert.equal(world.volumesOf(vm.id).length, 0);

    const starting = world.addVm({ state: 'Starting' });
    const refused = await client.call(contract.attachVolume, { params, body: { node_id: starting.id } });
    const { status, error } = await server.ended(refused.operation_id);
    assert.equal(status, 'failed');
    assert.equal(error?.details?.['cloudstack_error_code'], 431);
    assert.equal(error?.details?.['cloudstack_message'], 'Please specify a VM that is either running or stopped.');
    const { reason } = await server.volume('data');
    assert.match(reason ?? '', /CloudStack refused attachVolume \(431\)/);
  } finally {
    await simulator.stop();
  }
});

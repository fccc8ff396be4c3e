import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { contract } from '../../src/contract.ts';
import { cloudStackRig } from '../support/cloudstack/rig.ts';
import { BackendFaults } from '../support/faulty-backend.ts';
import { type TestServer, testServer } from '../support/server.ts';
import { until } from '../support/wait.ts';

const health = (server: TestServer) => server.client.call(contract.getHealth, {});
const metrics = (server: TestServer) => server.client.call(contract.getMetrics, {});

test('1b.1 health is asked, not claimed: what is not configured is disabled, and never healthy', async () => {
  await using server = await testServer();
  const found = await health(server);
  assert.deepEqual(
    [found.status, found.database_health, found.backend_health, found.cloudstack_health, found.device_monitor],
    ['healthy', 'healthy', 'healthy', 'disabled', 'healthy'],
  );
  assert.match(found.details['device_monitor']!, /^\d+ devices of /);
  await using deaf = await testServer({ agent: 'off' });
  assert.equal((await health(deaf)).device_monitor, 'disabled');
  assert.match(found.details['cloudstack']!, /^The cloudstack backend is not configured: set CLOUDSTACK_API_URL/);
  assert.deepEqual(found.operation_queue, { pending: 0, executing: 0, oldest_created_at: null });
  assert.deepEqual(found.issues, []);
});

test('1b.1 a CloudStack that answers is healthy, one that is away is not, and the server is degraded', async () => {
  await using rig = await cloudStackRig();
  const before = await health(rig.server);
  assert.deepEqual([before.status, before.cloudstack_health], ['healthy', 'healthy']);
  assert.match(before.details['cloudstack']!, /zone-1/);
  // A keeper that begins asks as well, so that it is away for more than one question.
  rig.simulator.fail('listZones', 'drop_before', Number.POSITIVE_INFINITY);
  const after = await health(rig.server);
  assert.deepEqual(
    [after.status, after.cloudstack_health, after.backend_health, after.database_health],
    ['degraded', 'unhealthy', 'unhealthy', 'healthy'],
  );
  assert.match(after.details['cloudstack']!, /gave no answer to listZones/);
  rig.simulator.faults.length = 0;
  assert.equal((await health(rig.server)).status, 'healthy');
});

test('1b.1 a CloudStack that hangs says so within the deadline, though it is not where volumes are made', async () => {
  const silent = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  try {
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/client/api`;
    const keys = { 'cloudstack-api-key': 'k', 'cloudstack-secret-key': 's' };
    const ids = { 'cloudstack-zone-id': 'z', 'cloudstack-disk-offering-id': 'o' };
    const settings = { 'cloudstack-api-url': url, ...keys, ...ids, 'health-timeout': '2s' };
    await using server = await testServer(settings);
    const found = await health(server);
    assert.deepEqual(
      [found.status, found.cloudstack_health, found.backend_health],
      ['degraded', 'unhealthy', 'healthy'],
    );
    assert.match(found.details['cloudstack']!, /There was no answer within 2 s|The deadline passed/);
  } finally {
    silent.closeAllConnections();
    silent.close();
  }
});

test('1b.1 metrics are counts of what happened: types, statuses, errors, volumes, times', async () => {
  const faults = new BackendFaults();
  const retries = { 'volume-retry-max-attempts': '1' };
  await using server = await testServer(retries, { wrapBackend: faults.wrap });
  const { client } = server;
  const empty = await metrics(server);
  assert.deepEqual([empty.total_operations, empty.error_rate_percent, empty.active_volumes], [0, 0, 0]);
  assert.deepEqual(empty.operations_by_status, { pending: 0, executing: 0, completed: 0, failed: 0, cancelled: 0 });

  const create = async (name: string) =>
    server.ended((await client.call(contract.createVolume, { body: { name, size: '1MiB' } })).operation_id);
  for (const name of ['a', 'b', 'c']) assert.equal((await create(name)).status, 'completed');
  faults.refuse('create', 1);
  assert.equal((await create('d')).status, 'failed');
  const attach = { params: { volume: 'a' }, body: { node_id: 'node-1' } };
  await server.ended((await client.call(contract.attachVolume, attach)).operation_id);
  const gone = await client.call(contract.deleteVolume, { params: { volume: 'b' }, query: {} });
  await server.ended(gone.operation_id);
  const held = faults.hold('resize', 'before');
  const resize = { params: { volume: 'c' }, body: { size: '2MiB' } };
  const accepted = await client.call(contract.resizeVolume, resize);
  await held.reached;
  const waiting = await client.call(contract.resizeVolume, { ...resize, body: { size: '3MiB' } });

  const counted = await metrics(server);
  assert.deepEqual(counted.operations_by_type, {
    'volume.create': 4,
    'volume.attach': 1,
    'volume.delete': 1,
    'volume.resize': 2,
  });
  const byStatus = { pending: 1, executing: 1, completed: 5, failed: 1, cancelled: 0 };
  assert.deepEqual(counted.operations_by_status, byStatus);
  assert.deepEqual([counted.total_operations, counted.pending_operations, counted.executing_operations], [8, 1, 1]);
  assert.equal(counted.error_rate_percent, 16.667);
  assert.deepEqual(counted.volumes_by_state, { attached: 1, available: 1, error: 1 });
  assert.deepEqual(counted.volumes_by_backend, { memory: 3 });
  assert.deepEqual([counted.active_volumes, counted.volumes_in_trash, counted.active_attachments], [3, 1, 1]);
  assert.ok(counted.average_response_time_ms > 0);
  assert.ok(counted.total_responses > empty.total_responses);
  const queue = (await health(server)).operation_queue!;
  assert.deepEqual([queue.pending, queue.executing], [1, 1]);
  assert.equal(queue.oldest_created_at, accepted.created_at);
  assert.deepEqual(
    (await health(server)).issues.map(({ type, count }) => [type, count]),
    [['volumes_in_error', 1]],
  );
  held.release();
  await server.ended(waiting.operation_id);
  assert.ok((await metrics(server)).average_operation_time_ms > 0);
});

test('1b.1 cancelled is counted, and a stream does not count as a slow answer', async () => {
  const faults = new BackendFaults();
  await using server = await testServer({}, { wrapBackend: faults.wrap });
  const { client } = server;
  const held = faults.hold('create', 'before');
  const { operation_id: id } = await client.call(contract.createVolume, { body: { name: 'a', size: '1MiB' } });
  await held.reached;
  const closing = new AbortController();
  const stream = client.stream(contract.watchOperation, { params: { id } }, { signal: closing.signal });
  await stream.next();
  await client.call(contract.cancelOperation, { params: { id }, body: {} });
  held.release();
  await server.ended(id);
  closing.abort();
  await stream.next().catch(() => null);
  const text = await until('the stream is measured', async () => {
    const told = await client.call(contract.metrics, {});
    return told.includes('http_request_seconds_count{operation="watch_operation"}') ? told : null;
  });
  const { operations_by_status: byStatus, total_responses: answers, error_rate_percent: rate } = await metrics(server);
  assert.deepEqual([byStatus['cancelled'], byStatus['failed'], rate], [1, 0, 0]);
  const measured = [...text.matchAll(/http_request_seconds_count\{operation="(\w+)"\} (\d+)/g)];
  const others = measured.filter(([, operation]) => operation !== 'watch_operation' && operation !== 'metrics');
  // The text of the metrics was measured after it was written.
  assert.equal(
    answers,
    others.reduce((sum, [, , count]) => sum + Number(count), 0),
  );
});

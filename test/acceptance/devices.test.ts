import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ApiError } from '../../src/client.ts';
import { contract } from '../../src/contract.ts';
import { createFileBackend } from '../../src/volumes/backends/file/file.ts';
import type { ReportedDevice } from '../../src/volumes/devices/report.ts';
import { volumeSerial } from '../../src/volumes/devices/volume-serial.ts';
import { type TestServer, testServer } from '../support/server.ts';
import { until } from '../support/wait.ts';

const MIB = 1_048_576;

/** A machine whose agent says what the test tells it to, over the same wire as any agent. */
class Machine {
  readonly #server: TestServer;
  readonly #hostId: string;
  readonly #session: string;

  private constructor(server: TestServer, hostId: string, session: string) {
    this.#server = server;
    this.#hostId = hostId;
    this.#session = session;
  }

  static async join(server: TestServer, name: string): Promise<Machine> {
    const body = { name, instance: 'test', address: '192.0.2.7', version: 'test', capabilities: {} };
    const { host_id, session } = await server.client.call(contract.registerHost, { body });
    return new Machine(server, host_id, session);
  }

  async shows(...devices: readonly ReportedDevice[]): Promise<void> {
    const body = { session: this.#session, results: [], reports: [{ section: 'devices', data: devices }] };
    await this.#server.client.call(contract.reportHost, { params: { host: this.#hostId }, body });
  }
}

function device(name: string, parts: Partial<ReportedDevice>): ReportedDevice {
  const none = { uuid: null, nguid: null, wwid: null, deviceMapper: null, nbd: null, serial: null };
  const facts = { majorMinor: '252:16', sizeBytes: String(64 * MIB), isReadOnly: false, diskSequence: '7' };
  return { name, ...facts, ...none, ...parts };
}

async function attached(server: TestServer, name: string, place: { node_id: string } | { vm_id: string }) {
  const body = { name, size_bytes: 64 * MIB };
  const created = await server.client.call(contract.createVolume, { body });
  await server.ended(created.id);
  const accepted = await server.client.call(contract.attachVolume, { params: { volume: name }, body: place });
  assert.equal((await server.ended(accepted.id)).status, 'completed');
  return created.volume_id!;
}

const refused = (status: number, message?: RegExp) => (error: unknown) =>
  error instanceof ApiError && error.status === status && (message === undefined || message.test(error.message));

describe('devices', () => {
  it('1b.5 are volumes by their serials: same sizes and reused letters mislead nobody', async () => {
    await using server = await testServer();
    const machine = await Machine.join(server, 'node-7');
    const [one, two] = [
      await attached(server, 'one', { node_id: 'node-7' }),
      await attached(server, 'two', { node_id: 'node-7' }),
    ];
    await machine.shows(device('vdb', { serial: volumeSerial(two) }), device('vdc', { serial: volumeSerial(one) }));
    const deviceOf = (volume: string) => server.client.call(contract.getVolumeDevice, { params: { volume } });
    assert.deepEqual(
      [(await deviceOf('one')).device_path, (await deviceOf('two')).device_path],
      ['/dev/vdc', '/dev/vdb'],
    );
    // The letter goes to another disk of the same size.
    await machine.shows(device('vdb', { serial: volumeSerial(one) }));
    assert.equal((await deviceOf('one')).device_path, '/dev/vdb');
    await assert.rejects(deviceOf('two'), refused(404, /No agent sees volume two/));
    const { linux_data: seen } = await server.volume('one');
    assert.deepEqual([seen?.name, seen?.host, String(seen?.size_bytes)], ['vdb', 'node-7', String(64 * MIB)]);
    assert.equal((await server.volume('two')).linux_data, null);
  });

  it('1b.9 are found by their encoded paths, with and without /dev/', async () => {
    await using server = await testServer();
    const machine = await Machine.join(server, 'node-7');
    const one = await attached(server, 'one', { node_id: 'node-7' });
    await machine.shows(device('vdb', { serial: volumeSerial(one) }), device('vdc', { serial: 'somebody-else' }));
    const volumeAt = (path: string, host = 'node-7') =>
      server.client.call(contract.getDeviceVolume, { params: { path }, query: { host } });
    for (const path of ['/dev/vdb', 'dev/vdb', 'vdb']) {
      const { volume_id, device: seen } = await volumeAt(path);
      assert.deepEqual([volume_id, seen.device_path], [one, '/dev/vdb']);
    }
    const response = await fetch(new URL('/api/v1/devices/%2Fdev%2Fvdb/volume?host=node-7', server.url));
    assert.equal(response.status, 200);
    await assert.rejects(volumeAt('/dev/vdc'), refused(404, /no volume of Holdfast/));
    await assert.rejects(volumeAt('/dev/vdz'), refused(404, /no device/));
    await assert.rejects(volumeAt('/dev/vdb', 'node-8'), refused(404, /no host/));
    await assert.rejects(volumeAt('/dev/../etc'), refused(400));
  });

  it('that bear the identity of one volume twice are none, and it is said', async () => {
    await using server = await testServer();
    const machine = await Machine.join(server, 'node-7');
    const one = await attached(server, 'one', { node_id: 'node-7' });
    const serial = volumeSerial(one);
    await machine.shows(device('vdb', { serial }), device('vdc', { serial }));
    await assert.rejects(
      server.client.call(contract.getDeviceVolume, { params: { path: 'vdb' }, query: { host: 'node-7' } }),
      refused(409, /all bear the identity/),
    );
    const sync = await server.client.call(contract.forceSync, { body: {} });
    const { output } = await server.ended(sync.id);
    const { differences } = output as { differences: { kind: string; volume_id: string }[] };
    const kinds = differences.filter(({ volume_id }) => volume_id === one).map(({ kind }) => kind);
    assert.deepEqual(kinds.toSorted(), ['device_missing', 'device_several_devices']);
  });

  it('of a virtual machine are listed with its volumes', async () => {
    await using server = await testServer();
    const machine = await Machine.join(server, 'vm-3');
    const one = await attached(server, 'one', { vm_id: 'vm-3' });
    const two = await attached(server, 'two', { vm_id: 'vm-3' });
    await machine.shows(device('vda', { serial: volumeSerial(two) }));
    const { items } = await server.client.call(contract.listVmVolumes, { params: { vm: 'vm-3' } });
    assert.deepEqual(
      items.map(({ volume_id, device: seen }) => [volume_id, seen?.device_path ?? null]),
      [
        [one, null],
        [two, '/dev/vda'],
      ],
    );
    assert.deepEqual((await server.client.call(contract.listVmVolumes, { params: { vm: 'vm-4' } })).items, []);
  });
});

describe('a forced sync', () => {
  it('finds and mends what the backend says otherwise, and tells it', async () => {
    await using server = await testServer({ 'storage-backend': 'file' });
    const one = await attached(server, 'one', { node_id: 'node-7' });
    const sync = async () => {
      const { id } = await server.client.call(contract.forceSync, { body: {} });
      const { status, output } = await server.ended(id);
      assert.equal(status, 'completed');
      return (output as { differences: { kind: string; volume_id: string | null; action: string }[] }).differences;
    };
    assert.deepEqual(await sync(), []);
    // Behind the back of the server, as an agent of another system would that ends a detach late.
    const backend = createFileBackend({ directory: join(server.directory, 'volumes') });
    const context = { fence: 1_000_000, signal: AbortSignal.timeout(10_000) };
    const { id: attachmentId, generation } = (await server.volume('one')).attachments[0]!;
    await backend.detach(context, one, { attachmentId, generation, force: false });
    assert.deepEqual(
      (await sync()).map(({ kind, volume_id, action }) => [kind, volume_id, action]),
      [['attachment_differs', one, 'the volume is reconciled with its image']],
    );
    await until('the volume is what its image says', async () => (await server.volume('one')).state === 'available');
    assert.deepEqual(await sync(), []);
  });
});

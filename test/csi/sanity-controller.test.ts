/** The checks of csi-sanity (kubernetes-csi/csi-test, pkg/sanity) on volumes of the controller, by their names there. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Reply } from './calls.ts';
import { type Driver, capability, mebibyte, newVolume, nodeId, startDriver, unique, volumeBytes } from './driver.ts';

const unknownVolume = 'vol-00000000-0000-7000-8000-000000000000';
const capabilities = [capability()];

describe('csi-sanity: Controller Service', () => {
  let driver: Driver;
  before(async () => void (driver = await startDriver({ flags: { 'storage-backend': 'memory' } })));
  after(() => driver[Symbol.asyncDispose]());

  test('ControllerGetCapabilities should return appropriate capabilities', async () => {
    const reply = await driver.call('ControllerGetCapabilities', {});
    const types = reply['capabilities'].map((one: Reply) => one['rpc'].type);
    const known = [
      'CLONE_VOLUME',
      'CREATE_DELETE_SNAPSHOT',
      'CREATE_DELETE_VOLUME',
      'EXPAND_VOLUME',
      'GET_CAPACITY',
      'GET_VOLUME',
      'LIST_SNAPSHOTS',
      'LIST_VOLUMES',
      'LIST_VOLUMES_PUBLISHED_NODES',
      'MODIFY_VOLUME',
      'PUBLISH_READONLY',
      'PUBLISH_UNPUBLISH_VOLUME',
      'SINGLE_NODE_MULTI_WRITER',
      'VOLUME_CONDITION',
    ];
    assert.deepEqual(types.toSorted(), known);
  });

  test('GetCapacity should return capacity (no optional values added)', async () => {
    const { available_capacity: bytes } = await driver.call('GetCapacity', {});
    assert.ok(BigInt(bytes) > 0n);
  });

  describe('ListVolumes', () => {
    test('should return appropriate values (no optional values added)', async () => {
      await driver.createVolume(unique('listed'));
      const { entries } = await driver.call('ListVolumes', {});
      assert.ok(entries.length > 0);
      for (const { volume } of entries) assert.match(volume.volume_id, /^vol-/);
    });

    test('should fail when an invalid starting_token is passed', () =>
      driver.refused('ListVolumes', { starting_token: 'invalid-token' }, 'ABORTED'));

    test('check the presence of new volumes and absence of deleted ones in the volume list', async () => {
      const count = async () => (await driver.call('ListVolumes', {}))['entries'].length;
      const total = await count();
      const { volume_id } = await driver.createVolume('sanity', { capacity_range: null });
      assert.equal(await count(), total + 1);
      await driver.call('DeleteVolume', { volume_id });
      assert.equal(await count(), total);
    });

    test('pagination should detect volumes added between pages and accept tokens when the last volume from a page is deleted', async () => {
      await using own = await startDriver({ flags: { 'storage-backend': 'memory' } });
      for (const name of ['sanity0', 'sanity1', 'sanity2']) await own.createVolume(name);
      const first = await own.call('ListVolumes', { max_entries: 2 });
      assert.equal(first['entries'].length, 2);
      for (const { volume } of first['entries']) await own.call('DeleteVolume', { volume_id: volume.volume_id });
      await own.createVolume('new-addition');
      const second = await own.call('ListVolumes', { starting_token: first['next_token'] });
      assert.equal(second['entries'].length, 2);
      assert.equal(second['next_token'], '');
    });
  });

  describe('CreateVolume', () => {
    test('should fail when no name is provided', () =>
      driver.refused('CreateVolume', { volume_capabilities: capabilities }, 'INVALID_ARGUMENT'));

    test('should fail when no volume capabilities are provided', () =>
      driver.refused('CreateVolume', { name: unique('no-capabilities') }, 'INVALID_ARGUMENT'));

    test('should return appropriate values SingleNodeWriter NoCapacity', async () => {
      const volume = await driver.createVolume(unique('no-capacity'), { capacity_range: null });
      assert.equal(volume.capacity_bytes, String(1024 * mebibyte));
    });

    test('should return appropriate values SingleNodeWriter WithCapacity 1Gi', async () => {
      const size = 1024 * mebibyte;
      const volume = await driver.createVolume(unique('1Gi'), { capacity_range: { required_bytes: size } });
      assert.equal(volume.capacity_bytes, String(size));
    });

    test('should not fail when requesting to create a volume with already existing name and same capacity', async () => {
      const name = unique('twice');
      const [one, other] = [await driver.createVolume(name), await driver.createVolume(name)];
      assert.equal(one.volume_id, other.volume_id);
      assert.equal(other.capacity_bytes, String(volumeBytes));
    });

    test('should fail when requesting to create a volume with already existing name and different capacity', async () => {
      const name = unique('twice-different');
      await driver.createVolume(name);
      const size = { required_bytes: 2 * volumeBytes, limit_bytes: 2 * volumeBytes };
      await driver.refused('CreateVolume', newVolume(name, { capacity_range: size }), 'ALREADY_EXISTS');
    });

    test('should not fail when creating volume with maximum-length name', async () => {
      const name = unique('maxlen').padEnd(128, 'x');
      const volume = await driver.createVolume(name);
      assert.equal((await driver.createVolume(name)).volume_id, volume.volume_id);
    });

    test('should create volume from an existing source snapshot', async () => {
      const source = await driver.createVolume(unique('source'));
      const snapshot = await driver.createSnapshot(unique('snapshot'), source.volume_id);
      const content = { snapshot: { snapshot_id: snapshot['snapshot_id'] } };
      const volume = await driver.createVolume(unique('filled'), { volume_content_source: content });
      assert.equal(volume.content_source?.snapshot?.snapshot_id, snapshot['snapshot_id']);
    });

    test('should fail when the volume source snapshot is not found', () => {
      const content = { snapshot: { snapshot_id: 'non-existing-snapshot-id' } };
      const request = newVolume(unique('orphan'), { volume_content_source: content });
      return driver.refused('CreateVolume', request, 'NOT_FOUND');
    });

    test('should create volume from an existing source volume', async () => {
      const source = await driver.createVolume(unique('source'));
      const content = { volume: { volume_id: source.volume_id } };
      const volume = await driver.createVolume(unique('clone'), { volume_content_source: content });
      assert.equal(volume.content_source?.volume?.volume_id, source.volume_id);
    });

    test('should fail when the volume source volume is not found', () => {
      const request = newVolume(unique('orphan'), { volume_content_source: { volume: { volume_id: unknownVolume } } });
      return driver.refused('CreateVolume', request, 'NOT_FOUND');
    });
  });

  describe('CreateVolume with a volume attribute class', () => {
    test('should create volume with a volume attribute class', async () => {
      const { volume_id } = await driver.createVolume(unique('class'), { mutable_parameters: { iops: '100' } });
      assert.deepEqual((await driver.holdfast.volume(volume_id)).qos, { iops: 100 });
    });

    test('should not create volume with an invalid volume attribute class', () => {
      const request = newVolume(unique('class'), { mutable_parameters: { XXX_FakeKey: 'XXX_FakeValue' } });
      return driver.refused('CreateVolume', request, 'INVALID_ARGUMENT');
    });
  });

  describe('ModifyVolume', () => {
    const rpc = 'ControllerModifyVolume';
    const mutable_parameters = { iops: '200' };
    const unsupported = { XXX_FakeKey: 'XXX_FakeValue' };
    const withClass = () =>
      driver.createVolume(unique('class'), { mutable_parameters: { iops: '100', read_iops: '50' } });

    test('should fail if no volume id is given', () => driver.refused(rpc, { mutable_parameters }, 'INVALID_ARGUMENT'));

    test('should fail if volume does not exist', () =>
      driver.refused(rpc, { volume_id: 'non-existing-volume-id', mutable_parameters }, 'NOT_FOUND'));

    test('should fail if specified mutable parameters are not supported by the volume', async () => {
      const { volume_id } = await driver.createVolume(unique('modified'));
      await driver.refused(rpc, { volume_id, mutable_parameters: unsupported }, 'INVALID_ARGUMENT');
    });

    test('should modify a volume created without a volume attribute class', async () => {
      const { volume_id } = await driver.createVolume(unique('modified'));
      await driver.call(rpc, { volume_id, mutable_parameters });
      assert.deepEqual((await driver.holdfast.volume(volume_id)).qos, { iops: 200 });
    });

    test('should modify a volume created with a volume attribute class', async () => {
      const { volume_id } = await withClass();
      for (let times = 0; times < 2; times++) await driver.call(rpc, { volume_id, mutable_parameters });
      assert.deepEqual((await driver.holdfast.volume(volume_id)).qos, { iops: 200, read_iops: 50 });
    });

    test('should fail to modify a volume created with a volume attribute class if new mutable parameters are not supported by volume', async () => {
      const { volume_id } = await withClass();
      await driver.refused(rpc, { volume_id, mutable_parameters: unsupported }, 'INVALID_ARGUMENT');
      assert.deepEqual((await driver.holdfast.volume(volume_id)).qos, { iops: 100, read_iops: 50 });
    });
  });

  describe('DeleteVolume', () => {
    test('should fail when no volume id is provided', () => driver.refused('DeleteVolume', {}, 'INVALID_ARGUMENT'));

    test('should succeed when an invalid volume id is used', async () => {
      assert.deepEqual(await driver.call('DeleteVolume', { volume_id: 'reallyfakevolumeid' }), {});
    });

    test('should return appropriate values (no optional values added)', async () => {
      const { volume_id } = await driver.createVolume(unique('deleted'));
      await driver.call('DeleteVolume', { volume_id });
      await driver.refused('ControllerGetVolume', { volume_id }, 'NOT_FOUND');
    });
  });

  describe('ValidateVolumeCapabilities', () => {
    const rpc = 'ValidateVolumeCapabilities';

    test('should fail when no volume id is provided', () => driver.refused(rpc, {}, 'INVALID_ARGUMENT'));

    test('should fail when no volume capabilities are provided', async () => {
      const { volume_id } = await driver.createVolume(unique('validated'));
      await driver.refused(rpc, { volume_id }, 'INVALID_ARGUMENT');
    });

    test('should return appropriate values (no optional values added)', async () => {
      const { volume_id } = await driver.createVolume(unique('validated'));
      const { confirmed } = await driver.call(rpc, { volume_id, volume_capabilities: capabilities });
      assert.equal(confirmed.volume_capabilities[0].access_mode.mode, 'SINGLE_NODE_WRITER');
    });

    test('should fail when the requested volume does not exist', () =>
      driver.refused(rpc, { volume_id: unknownVolume, volume_capabilities: capabilities }, 'NOT_FOUND'));
  });

  describe('ControllerPublishVolume', () => {
    const rpc = 'ControllerPublishVolume';
    const volume_capability = capability();

    test('should fail when no volume id is provided', () => driver.refused(rpc, {}, 'INVALID_ARGUMENT'));

    test('should fail when no node id is provided', () =>
      driver.refused(rpc, { volume_id: unknownVolume }, 'INVALID_ARGUMENT'));

    test('should fail when no volume capability is provided', () =>
      driver.refused(rpc, { volume_id: unknownVolume, node_id: nodeId }, 'INVALID_ARGUMENT'));

    test('should fail when the volume does not exist', () =>
      driver.refused(rpc, { volume_id: unknownVolume, node_id: nodeId, volume_capability }, 'NOT_FOUND'));

    test('should fail when the node does not exist', async () => {
      const { volume_id } = await driver.createVolume(unique('wrong-node'));
      await driver.refused(rpc, { volume_id, node_id: 'some-fake-node-id', volume_capability }, 'NOT_FOUND');
    });

    test('should fail when the volume is already published but is incompatible', async () => {
      const { volume_id } = await driver.createVolume(unique('published'));
      await driver.call(rpc, { volume_id, node_id: nodeId, volume_capability });
      await driver.refused(rpc, { volume_id, node_id: nodeId, volume_capability, readonly: true }, 'ALREADY_EXISTS');
    });
  });

  describe('volume lifecycle', () => {
    const live = async (count: number) => {
      const { node_id } = await driver.call('NodeGetInfo', {});
      const { volume_id } = await driver.createVolume(unique('lifecycle'), { capacity_range: null });
      for (let at = 0; at < count; at++) {
        const request = { volume_id, node_id, volume_capability: capability(), volume_context: {}, readonly: false };
        const { publish_context } = await driver.call('ControllerPublishVolume', request);
        assert.match(publish_context.attachment_id, /./);
      }
      for (let at = 0; at < count; at++) await driver.call('ControllerUnpublishVolume', { volume_id, node_id });
      for (let at = 0; at < count; at++) await driver.call('DeleteVolume', { volume_id });
    };
    test('should work', () => live(1));
    test('should be idempotent', () => live(3));
  });

  test('ControllerUnpublishVolume should fail when no volume id is provided', () =>
    driver.refused('ControllerUnpublishVolume', {}, 'INVALID_ARGUMENT'));
});

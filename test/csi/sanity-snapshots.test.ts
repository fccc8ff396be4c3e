/** The checks of csi-sanity (kubernetes-csi/csi-test, pkg/sanity) on snapshots and sizes, by their names there. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Driver, capability, startDriver, unique, volumeBytes } from './driver.ts';

describe('csi-sanity: snapshots and sizes of the Controller Server', () => {
  let driver: Driver;
  before(async () => void (driver = await startDriver({ flags: { 'storage-backend': 'memory' } })));
  after(() => driver[Symbol.asyncDispose]());

  const made = async (label: string) => {
    const { volume_id } = await driver.createVolume(unique(`volume-${label}`));
    return driver.createSnapshot(unique(`snapshot-${label}`), volume_id);
  };
  const list = (request: object = {}) => driver.call('ListSnapshots', request);

  describe('ListSnapshots', () => {
    test('should return appropriate values (no optional values added)', async () => {
      await made('any');
      const { entries } = await list();
      assert.ok(entries.length > 0);
      for (const { snapshot } of entries) {
        assert.match(snapshot.snapshot_id, /^snap-/);
        assert.match(snapshot.source_volume_id, /^vol-/);
        assert.ok(Number(snapshot.creation_time.seconds) > 0);
      }
    });

    test('should return snapshots that match the specified snapshot id', async () => {
      const [, target] = [await made('unrelated-1'), await made('target'), await made('unrelated-2')];
      const { entries } = await list({ snapshot_id: target['snapshot_id'] });
      assert.deepEqual(entries, [{ snapshot: target }]);
    });

    test('should return empty when the specified snapshot id does not exist', async () => {
      assert.deepEqual((await list({ snapshot_id: 'none-exist-id' }))['entries'], []);
    });

    test('should return snapshots that match the specified source volume id', async () => {
      const [, target] = [await made('unrelated-1'), await made('target'), await made('unrelated-2')];
      const { entries } = await list({ source_volume_id: target['source_volume_id'] });
      assert.deepEqual(entries, [{ snapshot: target }]);
    });

    test('should return empty when the specified source volume id does not exist', async () => {
      const source_volume_id = 'vol-00000000-0000-7000-8000-000000000000';
      assert.deepEqual((await list({ source_volume_id }))['entries'], []);
    });

    test('check the presence of new snapshots in the snapshot list', async () => {
      const total = (await list())['entries'].length;
      const { snapshot_id } = await made('new');
      assert.equal((await list())['entries'].length, total + 1);
      await driver.call('DeleteSnapshot', { snapshot_id });
      assert.equal((await list())['entries'].length, total);
    });

    test('should return next token when a limited number of entries are requested', async () => {
      for (let at = (await list())['entries'].length; at < 5; at++) await made(`page-${at}`);
      const total = (await list())['entries'].length;
      const first = await list({ max_entries: 2 });
      assert.equal(first['entries'].length, 2);
      const rest = await list({ starting_token: first['next_token'] });
      assert.equal(rest['entries'].length, total - 2);
      assert.equal(rest['next_token'], '');
    });
  });

  describe('DeleteSnapshot', () => {
    test('should fail when no snapshot id is provided', () => driver.refused('DeleteSnapshot', {}, 'INVALID_ARGUMENT'));

    test('should succeed when an invalid snapshot id is used', async () => {
      assert.deepEqual(await driver.call('DeleteSnapshot', { snapshot_id: 'reallyfakesnapshotid' }), {});
    });

    test('should return appropriate values (no optional values added)', async () => {
      const { snapshot_id } = await made('deleted');
      for (let times = 0; times < 2; times++) await driver.call('DeleteSnapshot', { snapshot_id });
      assert.deepEqual((await list({ snapshot_id }))['entries'], []);
    });
  });

  describe('CreateSnapshot', () => {
    test('should fail when no name is provided', () =>
      driver.refused('CreateSnapshot', { source_volume_id: 'testId' }, 'INVALID_ARGUMENT'));

    test('should fail when no source volume id is provided', () =>
      driver.refused('CreateSnapshot', { name: 'name' }, 'INVALID_ARGUMENT'));

    test('should succeed when requesting to create a snapshot with already existing name and same source volume ID', async () => {
      const { volume_id } = await driver.createVolume(unique('volume'));
      const name = unique('snapshot');
      const [one, other] = [await driver.createSnapshot(name, volume_id), await driver.createSnapshot(name, volume_id)];
      assert.deepEqual(one, other);
      assert.equal(one['ready_to_use'], true);
    });

    test('should fail when requesting to create a snapshot with already existing name and different source volume ID', async () => {
      const name = unique('snapshot');
      const [one, other] = [await driver.createVolume(unique('one')), await driver.createVolume(unique('other'))];
      await driver.createSnapshot(name, one.volume_id);
      await driver.refused('CreateSnapshot', { name, source_volume_id: other.volume_id }, 'ALREADY_EXISTS');
    });

    test('should succeed when creating snapshot with maximum-length name', async () => {
      const { volume_id } = await driver.createVolume(unique('volume'));
      const name = unique('maxlen').padEnd(128, 'y');
      const [one, other] = [await driver.createSnapshot(name, volume_id), await driver.createSnapshot(name, volume_id)];
      assert.equal(one['snapshot_id'], other['snapshot_id']);
    });
  });

  describe('ExpandVolume', () => {
    const capacity_range = { required_bytes: 2 * volumeBytes };

    test('should fail if no volume id is given', () =>
      driver.refused('ControllerExpandVolume', { capacity_range }, 'INVALID_ARGUMENT'));

    test('should fail if no capacity range is given', () =>
      driver.refused('ControllerExpandVolume', {}, 'INVALID_ARGUMENT'));

    test('should work', async () => {
      const { volume_id } = await driver.createVolume(unique('expanded'), {
        capacity_range: { required_bytes: volumeBytes },
      });
      const request = { volume_id, capacity_range, volume_capability: capability() };
      const reply = await driver.call('ControllerExpandVolume', request);
      assert.equal(reply['capacity_bytes'], String(2 * volumeBytes));
      assert.equal(reply['node_expansion_required'], true);
    });
  });
});

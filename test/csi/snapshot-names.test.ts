/** In CSI a snapshot's name is its own among all volumes, whoever asks for it, and when. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { contract } from '../../src/contract.ts';
import { statusCodes } from '../../src/csi/status.ts';
import { migrations } from '../../src/migrations.ts';
import { onEveryStore } from '../support/stores.ts';
import { type Driver, startDriver, unique } from './driver.ts';

onEveryStore('names of snapshots', ({ name: engine, fresh }) => {
  let driver: Driver;
  before(async () => {
    const { databaseUrl } = await fresh(migrations);
    const store = engine === 'sqlite' ? {} : { 'database-url': databaseUrl! };
    driver = await startDriver({ flags: { 'storage-backend': 'memory', ...store } });
  });
  after(() => driver[Symbol.asyncDispose]());

  test('one that many volumes ask for at once is given to one of them', async () => {
    const volumes = await Promise.all(Array.from({ length: 6 }, () => driver.createVolume(unique('source'))));
    const name = unique('one-name');
    const outcomes = await Promise.allSettled(volumes.map(({ volume_id }) => driver.createSnapshot(name, volume_id)));
    const codes = outcomes.map((outcome) =>
      outcome.status === 'fulfilled' ? 0 : (outcome.reason as { code: number }).code,
    );
    const taken = Array.from({ length: 5 }, () => statusCodes.ALREADY_EXISTS);
    assert.deepEqual(codes.toSorted(), [0, ...taken]);
    const { items } = await driver.holdfast.client.call(contract.listAllSnapshots, { query: { name } });
    assert.equal(items.length, 1);
    // Whoever repeats the call that won gets what it made; when that is deleted, the name is free for any volume.
    const winner = codes.indexOf(0);
    const { snapshot_id } = await driver.createSnapshot(name, volumes[winner]!.volume_id);
    assert.equal(snapshot_id, items[0]?.id);
    await driver.call('DeleteSnapshot', { snapshot_id });
    await driver.createSnapshot(name, volumes[(winner + 1) % volumes.length]!.volume_id);
  });

  test('one of a volume in the trash is taken, since it comes back with its volume', async () => {
    const [trashed, other] = [await driver.createVolume('trashed'), await driver.createVolume('other')];
    const name = unique('kept');
    const { snapshot_id } = await driver.createSnapshot(name, trashed.volume_id);
    const { client, ended } = driver.holdfast;
    const params = { volume: trashed.volume_id };
    await ended((await client.call(contract.deleteVolume, { params })).operation_id);
    await driver.refused('CreateSnapshot', { name, source_volume_id: other.volume_id }, 'ALREADY_EXISTS');
    await ended((await client.call(contract.restoreVolume, { params, body: {} })).operation_id);
    assert.equal((await driver.createSnapshot(name, trashed.volume_id))['snapshot_id'], snapshot_id);
  });

  test('people may use one name for snapshots of many volumes, as they always could', async () => {
    const { client, ended } = driver.holdfast;
    const name = unique('nightly');
    for (const label of ['one', 'other']) {
      const { volume_id: volume } = await driver.createVolume(label);
      const asked = await client.call(contract.createSnapshot, { params: { volume }, body: { name } });
      assert.equal((await ended(asked.operation_id)).status, 'completed');
    }
    const { volume_id } = await driver.createVolume('third');
    await driver.refused('CreateSnapshot', { name, source_volume_id: volume_id }, 'ALREADY_EXISTS');
  });

  test('one that the driver made stays that of its volume, whatever people name theirs later', async () => {
    const [one, other] = [await driver.createVolume(unique('one')), await driver.createVolume(unique('other'))];
    const name = unique('both');
    const { snapshot_id } = await driver.createSnapshot(name, one.volume_id);
    const { client, ended } = driver.holdfast;
    const params = { volume: other.volume_id };
    await ended((await client.call(contract.createSnapshot, { params, body: { name } })).operation_id);
    assert.equal((await driver.createSnapshot(name, one.volume_id))['snapshot_id'], snapshot_id);
    await driver.refused('CreateSnapshot', { name, source_volume_id: other.volume_id }, 'ALREADY_EXISTS');
  });
});

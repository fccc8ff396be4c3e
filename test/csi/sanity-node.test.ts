/** The checks of csi-sanity (kubernetes-csi/csi-test, pkg/sanity) on the node service, by their names there. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Reply } from './calls.ts';
import { type Driver, capability, startDriver, unique, volumeBytes } from './driver.ts';
import { withMounts } from './with-mounts.ts';
import { workloadOf } from './workload.ts';

const unknownVolume = 'vol-00000000-0000-7000-8000-000000000000';
const volume_id = unknownVolume;
const volume_capability = capability();

describe('csi-sanity: Node Service, what it refuses', () => {
  let driver: Driver;
  let staging_target_path: string;
  let target_path: string;
  before(async () => {
    driver = await startDriver({ flags: { 'storage-backend': 'memory' } });
    staging_target_path = join(driver.directory, 'staging');
    target_path = join(driver.directory, 'target');
  });
  after(() => driver[Symbol.asyncDispose]());

  test('NodeGetCapabilities should return appropriate capabilities', async () => {
    const { capabilities } = await driver.call('NodeGetCapabilities', {});
    const types = capabilities.map((one: Reply) => one['rpc'].type);
    const known = ['EXPAND_VOLUME', 'GET_VOLUME_STATS', 'SINGLE_NODE_MULTI_WRITER', 'STAGE_UNSTAGE_VOLUME'];
    assert.deepEqual(types.sort(), [...known, 'VOLUME_CONDITION']);
  });

  test('NodeGetInfo should return appropriate values', async () => {
    const info = await driver.call('NodeGetInfo', {});
    assert.notEqual(info['node_id'], '');
    assert.ok(Number(info['max_volumes_per_node']) >= 0);
  });

  const refusals: readonly [string, string, () => object, 'INVALID_ARGUMENT' | 'NOT_FOUND'][] = [
    ['NodePublishVolume', 'no volume id is provided', () => ({}), 'INVALID_ARGUMENT'],
    ['NodePublishVolume', 'no target path is provided', () => ({ volume_id }), 'INVALID_ARGUMENT'],
    ['NodePublishVolume', 'no volume capability is provided', () => ({ volume_id, target_path }), 'INVALID_ARGUMENT'],
    ['NodeUnpublishVolume', 'no volume id is provided', () => ({}), 'INVALID_ARGUMENT'],
    ['NodeUnpublishVolume', 'no target path is provided', () => ({ volume_id }), 'INVALID_ARGUMENT'],
    [
      'NodeStageVolume',
      'no volume id is provided',
      () => ({ staging_target_path, volume_capability, publish_context: { device: '/dev/mock' } }),
      'INVALID_ARGUMENT',
    ],
    [
      'NodeStageVolume',
      'no staging target path is provided',
      () => ({ volume_id, volume_capability, publish_context: { device: '/dev/mock' } }),
      'INVALID_ARGUMENT',
    ],
    [
      'NodeStageVolume',
      'no volume capability is provided',
      () => ({ volume_id, staging_target_path, publish_context: { device: '/dev/mock' } }),
      'INVALID_ARGUMENT',
    ],
    ['NodeUnstageVolume', 'no volume id is provided', () => ({ staging_target_path }), 'INVALID_ARGUMENT'],
    ['NodeUnstageVolume', 'no staging target path is provided', () => ({ volume_id }), 'INVALID_ARGUMENT'],
    ['NodeGetVolumeStats', 'no volume id is provided', () => ({ volume_path: 'some/path' }), 'INVALID_ARGUMENT'],
    ['NodeGetVolumeStats', 'no volume path is provided', () => ({ volume_id }), 'INVALID_ARGUMENT'],
    ['NodeGetVolumeStats', 'volume is not found', () => ({ volume_id, volume_path: 'some/path' }), 'NOT_FOUND'],
    [
      'NodeExpandVolume',
      'no volume id is provided',
      () => ({ volume_path: target_path, volume_capability }),
      'INVALID_ARGUMENT',
    ],
    ['NodeExpandVolume', 'no volume path is provided', () => ({ volume_id, volume_capability }), 'INVALID_ARGUMENT'],
    ['NodeExpandVolume', 'volume is not found', () => ({ volume_id, volume_path: 'some/path' }), 'NOT_FOUND'],
  ];
  test('NodePublishVolume should fail when no staging target path is provided', () =>
    driver.refused('NodePublishVolume', { volume_id, target_path, volume_capability }, 'FAILED_PRECONDITION'));

  for (const [rpc, when, request, status] of refusals) {
    test(`${rpc} should fail when ${when}`, () => driver.refused(rpc, request(), status));
  }
});

await withMounts('csi-sanity: Node Service, with filesystems', () => {
  let driver: Driver;
  before(async () => void (driver = await startDriver()));
  after(() => driver[Symbol.asyncDispose]());

  const newWorkload = async (more: object = {}) => {
    const { volume_id: id } = await driver.createVolume(unique('sanity-node'), more);
    return workloadOf(driver, id);
  };

  test('NodeUnpublishVolume should remove target path', async () => {
    await using workload = await newWorkload();
    await workload.stage();
    await workload.publish();
    assert.ok(existsSync(workload.targetPath));
    await workload.unpublish();
    assert.ok(!existsSync(workload.targetPath));
  });

  test('NodeGetVolumeStats should fail when volume does not exist on the specified path', async () => {
    await using workload = await newWorkload();
    await workload.stage();
    await workload.publish();
    const request = { volume_id: workload.volumeId, volume_path: 'some/path' };
    await driver.refused('NodeGetVolumeStats', request, 'NOT_FOUND');
  });

  test('NodeExpandVolume should work if node-expand is called after node-publish', async () => {
    const capacity_range = { required_bytes: 2 * volumeBytes };
    const { volume_id: id } = await driver.createVolume(unique('expanded'), {
      capacity_range: { required_bytes: volumeBytes },
    });
    await driver.call('ControllerExpandVolume', { volume_id: id, capacity_range });
    await using workload = await workloadOf(driver, id);
    await workload.stage();
    await workload.publish();
    const request = { volume_id: id, volume_path: workload.targetPath, capacity_range };
    const reply = await driver.call('NodeExpandVolume', request);
    assert.equal(reply['capacity_bytes'], String(2 * volumeBytes));
  });

  const runFully = async (count: number) => {
    await using workload = await newWorkload();
    for (let at = 0; at < count; at++) await workload.stage();
    for (let at = 0; at < count; at++) await workload.publish();
    const request = { volume_id: workload.volumeId, volume_path: workload.targetPath };
    const { usage } = await driver.call('NodeGetVolumeStats', request);
    assert.deepEqual(
      usage.map((one: Reply) => one['unit']),
      ['BYTES', 'INODES'],
    );
    for (let at = 0; at < count; at++) await workload.unpublish();
    for (let at = 0; at < count; at++) await workload.unstage();
  };
  test('should work', () => runFully(1));
  test('should be idempotent', () => runFully(3));
});

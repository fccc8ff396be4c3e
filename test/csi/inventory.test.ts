/** Every RPC of the served interface succeeds and refuses: what is added to `csi.proto` must be added here. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { serviceDefinition } from '../../src/csi/server.ts';
import type { StatusName } from '../../src/csi/status.ts';
import { serviceNames } from './calls.ts';
import { type Driver, capability, newVolume, nodeId, startDriver, unique } from './driver.ts';

const unknown = { volume_id: 'vol-00000000-0000-7000-8000-000000000000' };
const volume_capability = capability();

interface Case {
  /** What succeeds without a filesystem; `null`: see the checks of the node service with filesystems. */
  readonly works: ((driver: Driver, volumeId: string) => Promise<unknown>) | null;
  /** `null` for what says the same to everybody. */
  readonly refuses: { readonly request: object; readonly status: StatusName } | null;
}

const refuses = (request: object, status: StatusName) => ({ request, status });
const simply = (rpc: string, request: (volumeId: string) => object) => (driver: Driver, volumeId: string) =>
  driver.call(rpc, request(volumeId));
const says = (rpc: string): Case => ({ works: simply(rpc, () => ({})), refuses: null });
const onNode = (request: object, status: StatusName): Case => ({ works: null, refuses: refuses(request, status) });

const cases: Readonly<Record<string, Case>> = {
  GetPluginInfo: says('GetPluginInfo'),
  GetPluginCapabilities: says('GetPluginCapabilities'),
  // Its refusal needs a server that is gone; it has a test of its own below.
  Probe: says('Probe'),
  CreateVolume: {
    works: simply('CreateVolume', () => newVolume(unique('inventory'))),
    refuses: refuses(newVolume('a\u0001b'), 'INVALID_ARGUMENT'),
  },
  DeleteVolume: { works: simply('DeleteVolume', () => unknown), refuses: refuses({}, 'INVALID_ARGUMENT') },
  ControllerPublishVolume: {
    works: simply('ControllerPublishVolume', (volume_id) => ({ volume_id, node_id: nodeId, volume_capability })),
    refuses: refuses({ ...unknown, node_id: nodeId, volume_capability }, 'NOT_FOUND'),
  },
  ControllerUnpublishVolume: {
    works: simply('ControllerUnpublishVolume', (volume_id) => ({ volume_id, node_id: nodeId })),
    refuses: refuses({}, 'INVALID_ARGUMENT'),
  },
  ValidateVolumeCapabilities: {
    works: simply('ValidateVolumeCapabilities', (volume_id) => ({
      volume_id,
      volume_capabilities: [volume_capability],
    })),
    refuses: refuses({ ...unknown, volume_capabilities: [volume_capability] }, 'NOT_FOUND'),
  },
  ListVolumes: { works: simply('ListVolumes', () => ({})), refuses: refuses({ max_entries: -1 }, 'INVALID_ARGUMENT') },
  GetCapacity: {
    works: simply('GetCapacity', () => ({})),
    refuses: refuses({ parameters: { backend: 'nowhere' } }, 'INVALID_ARGUMENT'),
  },
  ControllerGetCapabilities: says('ControllerGetCapabilities'),
  CreateSnapshot: {
    works: simply('CreateSnapshot', (source_volume_id) => ({ name: unique('inventory'), source_volume_id })),
    refuses: refuses({ name: unique('inventory'), source_volume_id: unknown.volume_id }, 'NOT_FOUND'),
  },
  DeleteSnapshot: {
    works: simply('DeleteSnapshot', () => ({ snapshot_id: 'snap-gone' })),
    refuses: refuses({}, 'INVALID_ARGUMENT'),
  },
  ListSnapshots: { works: simply('ListSnapshots', () => ({})), refuses: refuses({ starting_token: '~' }, 'ABORTED') },
  ControllerExpandVolume: {
    works: simply('ControllerExpandVolume', (volume_id) => ({ volume_id, capacity_range: { required_bytes: 1 } })),
    refuses: refuses({ ...unknown, capacity_range: { required_bytes: 2, limit_bytes: 1 } }, 'OUT_OF_RANGE'),
  },
  ControllerGetVolume: {
    works: simply('ControllerGetVolume', (volume_id) => ({ volume_id })),
    refuses: refuses(unknown, 'NOT_FOUND'),
  },
  ControllerModifyVolume: {
    works: simply('ControllerModifyVolume', (volume_id) => ({ volume_id, mutable_parameters: { iops: '9' } })),
    refuses: refuses({ ...unknown, mutable_parameters: { iops: '-1' } }, 'INVALID_ARGUMENT'),
  },
  NodeStageVolume: onNode({ ...unknown, staging_target_path: 'not/absolute', volume_capability }, 'INVALID_ARGUMENT'),
  NodeUnstageVolume: onNode({ ...unknown, staging_target_path: 'not/absolute' }, 'INVALID_ARGUMENT'),
  NodePublishVolume: onNode(
    { ...unknown, target_path: '/nowhere/target', staging_target_path: '/nowhere/staging', volume_capability },
    'FAILED_PRECONDITION',
  ),
  NodeUnpublishVolume: onNode({ ...unknown, target_path: 'not/absolute' }, 'INVALID_ARGUMENT'),
  NodeGetVolumeStats: onNode({ ...unknown, volume_path: '/nowhere' }, 'NOT_FOUND'),
  NodeExpandVolume: onNode({ ...unknown, volume_path: '/nowhere' }, 'NOT_FOUND'),
  NodeGetCapabilities: says('NodeGetCapabilities'),
  NodeGetInfo: says('NodeGetInfo'),
};

describe('the inventory of RPCs', () => {
  let driver: Driver;
  let volumeId: string;
  before(async () => {
    driver = await startDriver({ flags: { 'storage-backend': 'memory' } });
    volumeId = (await driver.createVolume(unique('inventory'))).volume_id;
  });
  after(() => driver[Symbol.asyncDispose]());

  const served = serviceNames.flatMap((service) => Object.keys(serviceDefinition(service)));

  test('has a case for each that is served, and no other', () => {
    assert.deepEqual(Object.keys(cases).toSorted(), served.toSorted());
  });

  for (const [rpc, { works, refuses: refusal }] of Object.entries(cases)) {
    if (works !== null) test(`${rpc} succeeds`, async () => assert.ok(await works(driver, volumeId)));
    if (refusal !== null) test(`${rpc} refuses`, () => driver.refused(rpc, refusal.request, refusal.status));
  }

  test('Probe refuses when the server is gone', async () => {
    await using own = await startDriver({ flags: { 'storage-backend': 'memory' } });
    await own.holdfast.server.stop();
    await own.refused('Probe', {}, 'FAILED_PRECONDITION');
  });

  test('a node without a controller does not serve volumes, and a controller mounts nothing', async () => {
    await using node = await startDriver({ mode: 'node', stateDirectory: join(driver.directory, 'other') });
    await node.refused('ListVolumes', {}, 'UNIMPLEMENTED');
    assert.deepEqual((await node.call('Probe', {}))['ready'], { value: true });
    await using controller = await startDriver({ mode: 'controller' });
    await controller.refused('NodeGetInfo', {}, 'UNIMPLEMENTED');
  });
});

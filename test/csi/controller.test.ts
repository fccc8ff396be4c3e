/** What the controller keeps beyond csi-sanity. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { contract } from '../../src/contract.ts';
import type { Holdfast } from '../../src/csi/holdfast.ts';
import { HoldfastError } from '../../src/kernel/errors/errors.ts';
import { type Driver, capability, newVolume, nodeId, startDriver, unique } from './driver.ts';

/** A network that loses the answers of these verbs, once each: the change is made, and nobody hears of it. */
function losing(...verbs: readonly (keyof Holdfast)[]) {
  const left = new Set<string | symbol>(verbs);
  return (holdfast: Holdfast): Holdfast =>
    new Proxy(holdfast, {
      get(target, verb: keyof Holdfast) {
        const act = (target[verb] as (...args: unknown[]) => Promise<unknown>).bind(target);
        if (!left.has(verb)) return act;
        return async (...args: unknown[]) => {
          await act(...args);
          if (!left.delete(verb)) return undefined;
          throw new HoldfastError('unavailable', 'The connection broke before the answer came.');
        };
      },
    });
}

const memory = { 'storage-backend': 'memory' };

describe('the CSI controller', () => {
  let driver: Driver;
  before(async () => void (driver = await startDriver({ flags: memory })));
  after(() => driver[Symbol.asyncDispose]());

  const countSnapshots = async () => {
    const { items } = await driver.holdfast.client.call(contract.listAllSnapshots, { query: {} });
    return items.length;
  };

  test('makes one volume, snapshot and attachment although every first answer is lost', async () => {
    const verbs = ['createVolume', 'createSnapshot', 'attach', 'detach', 'deleteSnapshot', 'deleteVolume'] as const;
    await using own = await startDriver({ flags: memory, between: losing(...verbs) });
    const twice = async (rpc: string, request: object) => {
      await own.refused(rpc, request, 'UNAVAILABLE');
      return own.call(rpc, request);
    };
    const { volume } = await twice('CreateVolume', newVolume('data'));
    const { volume_id } = volume;
    const { snapshot } = await twice('CreateSnapshot', { name: 'before', source_volume_id: volume_id });
    await twice('ControllerPublishVolume', { volume_id, node_id: nodeId, volume_capability: capability() });
    assert.equal((await own.call('ListVolumes', {}))['entries'].length, 1);
    assert.equal((await own.call('ListSnapshots', {}))['entries'].length, 1);
    assert.equal((await own.holdfast.volume(volume_id)).attachments[0]?.generation, 1);
    await twice('ControllerUnpublishVolume', { volume_id, node_id: nodeId });
    await twice('DeleteSnapshot', { snapshot_id: snapshot['snapshot_id'] });
    await twice('DeleteVolume', { volume_id });
    assert.deepEqual((await own.call('ListVolumes', {}))['entries'], []);
  });

  test('gives calls of one name that come at once one volume', async () => {
    const name = unique('at-once');
    const volumes = await Promise.all(Array.from({ length: 8 }, () => driver.createVolume(name)));
    assert.equal(new Set(volumes.map(({ volume_id }) => volume_id)).size, 1);
  });

  test('a name is free again when its volume is deleted', async () => {
    const name = unique('again');
    const { volume_id } = await driver.createVolume(name);
    await driver.call('DeleteVolume', { volume_id });
    assert.notEqual((await driver.createVolume(name)).volume_id, volume_id);
  });

  test('takes every name that CSI allows, keeps it, and tells names apart', async () => {
    const names = ['a b', 'a/b', 'ä@b', '..', 'csi-x', 'vol-x', '日本語', 'Ünï', 'a\tb'];
    const volumes = await Promise.all(names.map((name) => driver.createVolume(name)));
    assert.equal(new Set(volumes.map(({ volume_id }) => volume_id)).size, names.length);
    for (const [at, { volume_id }] of volumes.entries()) {
      const { metadata } = await driver.holdfast.volume(volume_id);
      assert.equal(metadata['csi.holdfast.io/name'], names[at]);
    }
    await driver.refused('CreateVolume', newVolume('x'.repeat(129)), 'INVALID_ARGUMENT', /128 bytes/);
  });

  test('does not take over a volume that others made', async () => {
    const name = unique('theirs');
    const made = await driver.holdfast.client.call(contract.createVolume, { body: { name, size: '64MiB' } });
    await driver.holdfast.ended(made.operation_id);
    await driver.refused('CreateVolume', newVolume(name), 'ALREADY_EXISTS', /not made by this driver/);
  });

  test('keeps sizes exact beyond 2^53', async () => {
    const size = '9007199254740993';
    const range = { required_bytes: size, limit_bytes: size };
    const volume = await driver.createVolume(unique('huge'), { capacity_range: range });
    assert.equal(volume.capacity_bytes, size);
  });

  test('refuses ranges and access modes that cannot be kept', async () => {
    const range = { required_bytes: 2_000_000_000, limit_bytes: 1_000_000_000 };
    await driver.refused('CreateVolume', newVolume(unique('x'), { capacity_range: range }), 'OUT_OF_RANGE');
    const shared = capability('MULTI_NODE_MULTI_WRITER');
    const request = newVolume(unique('x'), { volume_capabilities: [shared] });
    await driver.refused('CreateVolume', request, 'INVALID_ARGUMENT', /one node at a time/);
    const { volume_id } = await driver.createVolume(unique('validated'));
    const reply = await driver.call('ValidateVolumeCapabilities', { volume_id, volume_capabilities: [shared] });
    assert.equal(reply['confirmed'], null);
    assert.match(reply['message'], /one node at a time/);
    const flags = capability('SINGLE_NODE_WRITER', { mount: { mount_flags: ['rw,exec -o x'] } });
    await driver.refused('CreateVolume', newVolume(unique('x'), { volume_capabilities: [flags] }), 'INVALID_ARGUMENT');
  });

  test('answers with the codes of the specification what only Holdfast or a backend can tell', async () => {
    const { volume_id } = await driver.createVolume(unique('codes'));
    const capacity_range = { required_bytes: '9223372036854775807' };
    await driver.refused('CreateVolume', newVolume(unique('huge'), { capacity_range }), 'OUT_OF_RANGE');
    await driver.refused('ControllerExpandVolume', { volume_id, capacity_range }, 'OUT_OF_RANGE');
    const elsewhere = newVolume(unique('nowhere'), { parameters: { backend: 'nowhere' } });
    await driver.refused('CreateVolume', elsewhere, 'INVALID_ARGUMENT', /no backend/);
    const validation = { volume_id, volume_capabilities: [capability()] };
    for (const unknown of [{ parameters: { colour: 'red' } }, { mutable_parameters: { backend: 'file' } }]) {
      const { confirmed, message } = await driver.call('ValidateVolumeCapabilities', { ...validation, ...unknown });
      assert.equal(confirmed, null);
      assert.match(message, /parameter/);
    }
    const mutable_parameters = { iops: '100' };
    const reply = await driver.call('ValidateVolumeCapabilities', { ...validation, mutable_parameters });
    assert.deepEqual(reply['confirmed'].mutable_parameters, mutable_parameters);
  });

  test('refuses to promise TLS, which nodes cannot keep, before there is a volume', async () => {
    const name = unique('secret');
    const asking = (tls: string) => newVolume(name, { parameters: { tls } });
    await driver.refused('CreateVolume', asking('true'), 'INVALID_ARGUMENT', /only certificates/);
    await driver.refused('CreateVolume', asking('yes'), 'INVALID_ARGUMENT', /true or false/);
    const { volume_id } = (await driver.call('CreateVolume', asking('false')))['volume'];
    const change = { volume_id, mutable_parameters: { tls: 'false' } };
    await driver.refused('ControllerModifyVolume', change, 'INVALID_ARGUMENT', /tls cannot be changed/);
  });

  test('leaves no snapshot behind a clone, also when its answer was lost', async () => {
    await using own = await startDriver({
      flags: memory,
      between: losing('createSnapshot', 'createVolume', 'deleteSnapshot'),
    });
    await own.refused('CreateVolume', newVolume('source'), 'UNAVAILABLE');
    const { volume_id } = await own.createVolume('source');
    const request = newVolume('clone', { volume_content_source: { volume: { volume_id } } });
    await own.refused('CreateVolume', request, 'UNAVAILABLE');
    await own.refused('CreateVolume', request, 'UNAVAILABLE');
    await own.call('CreateVolume', request);
    const { items } = await own.holdfast.client.call(contract.listAllSnapshots, { query: {} });
    assert.deepEqual(items, []);
    await own.call('DeleteVolume', { volume_id });
  });

  test('does not delete a volume that is in use, or has snapshots', async () => {
    const { volume_id } = await driver.createVolume(unique('used'));
    const { snapshot_id } = await driver.createSnapshot(unique('held'), volume_id);
    await driver.refused('DeleteVolume', { volume_id }, 'FAILED_PRECONDITION', /snapshots/);
    await driver.call('DeleteSnapshot', { snapshot_id });
    await driver.call('ControllerPublishVolume', { volume_id, node_id: nodeId, volume_capability: capability() });
    await driver.refused('DeleteVolume', { volume_id }, 'FAILED_PRECONDITION', /in use at node/);
    const before = await countSnapshots();
    await driver.call('ControllerUnpublishVolume', { volume_id });
    await driver.call('DeleteVolume', { volume_id });
    assert.equal(await countSnapshots(), before);
  });

  test('attaches at one node at a time, and a late unpublish of another node changes nothing', async () => {
    await using own = await startDriver({ flags: memory, mode: 'controller' });
    const { volume_id } = await own.createVolume('moving');
    const at = (node_id: string) => ({ volume_id, node_id, volume_capability: capability() });
    await own.call('ControllerPublishVolume', at('node-a'));
    await own.refused('ControllerPublishVolume', at('node-b'), 'FAILED_PRECONDITION', /node-a/);
    await own.call('ControllerUnpublishVolume', at('node-b'));
    const { status } = await own.call('ControllerGetVolume', { volume_id });
    assert.deepEqual(status.published_node_ids, ['node-a']);
    assert.equal(status.volume_condition.abnormal, false);
    await own.refused('ControllerPublishVolume', at('no/node'), 'NOT_FOUND');
  });
});

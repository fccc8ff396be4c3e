import assert from 'node:assert/strict';
import { contract } from '../../src/contract.ts';
import type { Scenario } from './scenarios.ts';
import { MIB } from './world.ts';

const create: Scenario = {
  name: 'create',
  verbs: ['create'],
  prepare: async () => {},
  async request({ client }, subject) {
    const body = { name: subject.name, size_bytes: 5 * MIB, metadata: { team: 'a' } };
    const accepted = await client.call(contract.createVolume, { body });
    subject.volumeId = accepted.volume_id!;
    return accepted.id;
  },
  async check(hand, { name, volumeId }) {
    const volume = await hand.assertTrue(volumeId, 'available');
    assert.equal(volume.name, name);
    assert.equal(Number(volume.size_bytes), 5 * MIB);
    assert.deepEqual(volume.metadata, { team: 'a' });
  },
  afterFailure: 'error',
  repair: ['reconcile'],
};

const clone: Scenario = {
  name: 'create from a snapshot',
  needs: 'clone',
  verbs: ['create'],
  async prepare(hand, subject) {
    const parent = await hand.create(`${subject.name}-parent`);
    await hand.mark(parent);
    subject.notes['snapshot'] = await hand.snapshot(parent, 'base');
    await hand.mark(parent, 'changed since');
  },
  async request({ client }, subject) {
    const body = { name: subject.name, snapshot_id: subject.notes['snapshot']! };
    const accepted = await client.call(contract.createVolume, { body });
    subject.volumeId = accepted.volume_id!;
    return accepted.id;
  },
  async check(hand, { volumeId, notes }) {
    const volume = await hand.assertTrue(volumeId, 'available');
    assert.equal(volume.source_snapshot_id, notes['snapshot']);
    assert.equal(Number(volume.size_bytes), 4 * MIB);
    await hand.assertMarked(volumeId);
  },
  afterFailure: 'error',
  repair: ['reconcile'],
};

const attach: Scenario = {
  name: 'attach',
  verbs: ['attach'],
  async prepare(hand, subject) {
    subject.volumeId = await hand.create(subject.name);
  },
  async request({ client }, { volumeId: volume }) {
    const body = { node_id: 'node-a' };
    return (await client.call(contract.attachVolume, { params: { volume }, body })).id;
  },
  async check(hand, { volumeId }) {
    const volume = await hand.assertTrue(volumeId, 'attached');
    assert.equal(volume.node_id, 'node-a');
    assert.deepEqual(
      volume.attachments.map(({ state }) => state),
      ['attached'],
    );
    const facts = await hand.facts(volume.image);
    assert.equal(facts?.attachment?.generation, volume.attachments[0]!.generation);
  },
  afterFailure: 'error',
  repair: ['reconcile', 'request'],
};

const detach: Scenario = {
  name: 'detach',
  verbs: ['detach'],
  async prepare(hand, subject) {
    subject.volumeId = await hand.create(subject.name);
    await hand.attach(subject.volumeId, 'node-a');
  },
  request: async ({ client }, { volumeId: volume }) =>
    (await client.call(contract.detachVolume, { params: { volume }, body: {} })).id,
  async check(hand, { volumeId }) {
    const volume = await hand.assertTrue(volumeId, 'available');
    assert.equal(volume.node_id, null);
    assert.deepEqual(volume.attachments, []);
  },
  afterFailure: 'error',
  repair: ['reconcile', 'request'],
};

const forcedDetach: Scenario = {
  ...detach,
  name: 'forced detach',
  needs: 'fence',
  request: async ({ client }, { volumeId: volume }) =>
    (await client.call(contract.detachVolume, { params: { volume }, body: { force: true } })).id,
};

const remove: Scenario = {
  name: 'delete',
  verbs: ['inspect', 'trash'],
  async prepare(hand, subject) {
    subject.volumeId = await hand.create(subject.name);
  },
  request: async ({ client }, { volumeId: volume }) =>
    (await client.call(contract.deleteVolume, { params: { volume } })).id,
  async check(hand, { volumeId, name }) {
    const volume = await hand.assertTrue(volumeId, 'deleted');
    assert.notEqual(volume.trash_expires_at, null);
    const { items } = await hand.client.call(contract.listVolumes, { query: { name } });
    assert.deepEqual(items, []);
  },
  afterFailure: 'error',
  repair: ['reconcile', 'request'],
};

const purge: Scenario = {
  name: 'purge',
  verbs: ['purge'],
  async prepare(hand, subject) {
    subject.volumeId = await hand.create(subject.name);
    await hand.delete(subject.volumeId);
  },
  request: async ({ client }, { volumeId: volume }) =>
    (await client.call(contract.purgeVolume, { params: { volume } })).id,
  async check(hand, { volumeId }) {
    const volume = await hand.assertTrue(volumeId, 'deleted');
    assert.equal(volume.trash_expires_at, null);
  },
  afterFailure: 'deleted',
  repair: ['request'],
};

const restore: Scenario = {
  name: 'restore',
  verbs: ['restore'],
  async prepare(hand, subject) {
    subject.volumeId = await hand.create(subject.name);
    await hand.mark(subject.volumeId);
    await hand.snapshot(subject.volumeId, 'kept');
    await hand.delete(subject.volumeId);
  },
  request: async ({ client }, { volumeId: volume, name }) =>
    (await client.call(contract.restoreVolume, { params: { volume }, body: { name: `${name}-back` } })).id,
  async check(hand, { volumeId, name }) {
    const volume = await hand.assertTrue(volumeId, 'available');
    assert.equal(volume.name, `${name}-back`);
    assert.equal(volume.trash_expires_at, null);
    assert.deepEqual(
      (await hand.factsOfSnapshots(volume.image)).map(({ snapshot }) => snapshot),
      ['kept'],
    );
    await hand.assertMarked(volumeId);
  },
  afterFailure: 'error',
  repair: ['reconcile'],
};

const purgeAtOnce: Scenario = {
  ...remove,
  name: 'delete for good',
  verbs: ['purge'],
  request: async ({ client }, { volumeId: volume }) =>
    (await client.call(contract.deleteVolume, { params: { volume }, query: { purge: true } })).id,
  async check(hand, { volumeId }) {
    const volume = await hand.assertTrue(volumeId, 'deleted');
    assert.equal(volume.trash_expires_at, null);
  },
};

/** Operations that carry a volume through its states. */
export const lifecycleScenarios: readonly Scenario[] = [
  create,
  clone,
  attach,
  detach,
  forcedDetach,
  remove,
  purgeAtOnce,
  purge,
  restore,
];

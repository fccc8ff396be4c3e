import assert from 'node:assert/strict';
import { contract } from '../../src/contract.ts';
import type { Scenario, Subject } from './scenarios.ts';
import { type Hand, MIB } from './world.ts';

const resize: Scenario = {
  name: 'resize',
  verbs: ['resize'],
  async prepare(hand, subject) {
    subject.volumeId = await hand.create(subject.name);
  },
  request: async ({ client }, { volumeId: volume }) =>
    (await client.call(contract.resizeVolume, { params: { volume }, body: { size_bytes: 9 * MIB } })).id,
  async check(hand, { volumeId }) {
    const volume = await hand.assertTrue(volumeId, 'available');
    assert.equal(Number(volume.size_bytes), 9 * MIB);
    assert.equal(volume.reason, null);
  },
  afterFailure: 'available',
  repair: ['request'],
};

const qos: Scenario = {
  ...resize,
  name: 'qos',
  needs: 'qos',
  verbs: ['setQos'],
  request: async ({ client }, { volumeId: volume }) =>
    (await client.call(contract.setVolumeQos, { params: { volume }, body: { iops: 500 } })).id,
  async check(hand, { volumeId }) {
    const volume = await hand.assertTrue(volumeId, 'available');
    assert.deepEqual(volume.qos, { iops: 500 });
    assert.equal(volume.reason, null);
  },
};

const snapshot: Scenario = {
  ...resize,
  name: 'snapshot',
  needs: 'snapshots',
  verbs: ['createSnapshot'],
  request: async ({ client }, { volumeId: volume }) =>
    (await client.call(contract.createSnapshot, { params: { volume }, body: { name: 's1' } })).id,
  check: (hand, subject) => assertSnapshots(hand, subject, ['s1']),
  // What is in error may be there or not; only after its removal the name says again what it holds.
  repair: ['clean', 'request'],
  async clean(hand, { volumeId: volume }) {
    assert.deepEqual(
      (await hand.snapshots(volume)).map(({ state }) => state),
      ['error'],
    );
    const accepted = await hand.client.call(contract.deleteSnapshot, { params: { volume, snapshot: 's1' } });
    await hand.completed(accepted.id);
  },
};

const snapshotDelete: Scenario = {
  ...resize,
  name: 'snapshot_delete',
  needs: 'snapshots',
  verbs: ['deleteSnapshot'],
  async prepare(hand, subject) {
    subject.volumeId = await hand.create(subject.name);
    await hand.snapshot(subject.volumeId, 's1');
    await hand.snapshot(subject.volumeId, 's2');
  },
  request: async ({ client }, { volumeId: volume }) =>
    (await client.call(contract.deleteSnapshot, { params: { volume, snapshot: 's1' } })).id,
  check: (hand, subject) => assertSnapshots(hand, subject, ['s2']),
};

const revert: Scenario = {
  ...resize,
  name: 'revert',
  needs: 'snapshots',
  verbs: ['revert'],
  async prepare(hand, subject) {
    subject.volumeId = await hand.create(subject.name);
    await hand.mark(subject.volumeId);
    await hand.snapshot(subject.volumeId, 's1');
    await hand.completed(await resize.request(hand, subject));
    await hand.mark(subject.volumeId, 'changed since');
  },
  request: async ({ client }, { volumeId: volume }) =>
    (await client.call(contract.revertVolume, { params: { volume }, body: { snapshot_id: 's1' } })).id,
  async check(hand, subject) {
    await assertSnapshots(hand, subject, ['s1']);
    const volume = await hand.assertTrue(subject.volumeId, 'available');
    assert.equal(Number(volume.size_bytes), 4 * MIB);
    await hand.assertMarked(subject.volumeId);
  },
};

const importImage: Scenario = {
  name: 'import',
  verbs: ['adopt'],
  async prepare(hand, subject) {
    await hand.world.putForeignImage(`img-${subject.name}`, 6 * MIB);
  },
  async request({ client }, subject) {
    const body = { image: `img-${subject.name}`, name: subject.name };
    const accepted = await client.call(contract.importVolume, { body });
    subject.volumeId = accepted.volume_id!;
    return accepted.id;
  },
  async check(hand, { volumeId, name }) {
    const volume = await hand.assertTrue(volumeId, 'available');
    assert.equal(volume.image, `img-${name}`);
    assert.equal(Number(volume.size_bytes), 6 * MIB);
  },
  afterFailure: 'error',
  repair: ['reconcile'],
};

/** A volume in `error` whose image is gone: the reconcile reads the backend and then makes the image anew. */
const reconcile: Scenario = {
  name: 'reconcile',
  verbs: ['inspect', 'create'],
  async prepare(hand, subject) {
    subject.volumeId = await hand.create(subject.name);
    await loseImage(hand, subject.volumeId);
    const attaching = { params: { volume: subject.volumeId }, body: { node_id: 'node-a' } };
    await hand.ended((await hand.client.call(contract.attachVolume, attaching)).id);
    assert.equal((await hand.volume(subject.volumeId)).state, 'error');
  },
  request: async ({ client }, { volumeId: volume }) =>
    (await client.call(contract.reconcileVolume, { params: { volume }, body: {} })).id,
  check: async (hand, { volumeId }) => void (await hand.assertTrue(volumeId, 'available')),
  afterFailure: 'error',
  repair: ['reconcile'],
};

/** Operations on what a volume holds, and those that make a volume out of what is there. */
export const contentScenarios: readonly Scenario[] = [
  resize,
  qos,
  snapshot,
  snapshotDelete,
  revert,
  importImage,
  reconcile,
];

async function assertSnapshots(hand: Hand, { volumeId }: Subject, names: readonly string[]): Promise<void> {
  const volume = await hand.assertTrue(volumeId, 'available');
  assert.equal(volume.reason, null);
  const told = await hand.snapshots(volumeId);
  assert.deepEqual(
    told.map(({ name, state }) => [name, state]),
    names.map((name) => [name, 'available']),
  );
  assert.deepEqual(
    (await hand.factsOfSnapshots(volume.image)).map((facts) => facts.snapshot),
    names,
  );
}

/** Removes the image behind the server's back. The fence is higher than any that the server has used. */
async function loseImage(hand: Hand, volumeId: string): Promise<void> {
  const { image } = await hand.volume(volumeId);
  await hand.world.backend.purge({ fence: 1_000, signal: AbortSignal.timeout(30_000) }, image);
}

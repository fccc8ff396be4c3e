import assert from 'node:assert/strict';
import { contract } from '../../src/contract.ts';
import { until } from '../support/wait.ts';
import {
  attachExported,
  detach as detachNow,
  exportsOf,
  listenerOf,
  reachesNothing,
  reads,
  sizeSeen,
  usableUri,
  write,
} from './exported.ts';
import type { Scenario, Subject } from './scenarios.ts';
import { type Hand, MIB } from './world.ts';

const written = 0x5a;

/** A crash before what follows on the export is one after what came before it. */
const onlyAfter = ['after'] as const;

const attach: Scenario = {
  name: 'attach with a transport',
  verbs: ['attach', 'export.add'],
  moments: { attach: onlyAfter },
  async prepare(hand, subject) {
    subject.volumeId = await hand.create(subject.name);
  },
  async request({ client }, { volumeId: volume }) {
    const body = { node_id: 'node-a', transport: 'nbd' as const };
    return (await client.call(contract.attachVolume, { params: { volume }, body })).id;
  },
  async check(hand, { volumeId }) {
    await hand.assertTrue(volumeId, 'attached');
    const uri = await usableUri(hand, volumeId);
    await write(uri, written);
    await assertDetaches(hand, volumeId, uri);
  },
  afterFailure: 'error',
  repair: ['reconcile', 'clean', 'request'],
  // What failed after the image was attached is attached, and says so: it is detached before it is attached anew.
  async clean(hand, { volumeId }) {
    if ((await hand.volume(volumeId)).state === 'attached') await detachNow(hand, volumeId);
  },
};

const makeExport: Scenario = {
  name: 'export',
  verbs: ['export.add'],
  moments: { 'export.add': onlyAfter },
  async prepare(hand, subject) {
    subject.volumeId = await hand.create(subject.name);
    await hand.attach(subject.volumeId, 'node-a');
  },
  request: async ({ client }, { volumeId: volume }) =>
    (await client.call(contract.createExport, { params: { volume }, body: { transport: 'nbd' } })).id,
  check: (hand, subject) => attach.check(hand, subject),
  afterFailure: 'attached',
  repair: ['request'],
};

const unexport: Scenario = {
  name: 'unexport',
  verbs: ['export.remove'],
  moments: { 'export.remove': onlyAfter },
  prepare: prepareExported,
  async request({ client }, { volumeId: volume, notes }) {
    const request = { params: { volume, export: notes['export']! } };
    return (await client.call(contract.deleteExport, request)).id;
  },
  async check(hand, { volumeId, notes }) {
    const { reason } = await hand.assertTrue(volumeId, 'attached');
    assert.equal(reason, null);
    assert.deepEqual(await exportsOf(hand, volumeId), []);
    await reachesNothing(notes['uri']!);
    await detachNow(hand, volumeId);
  },
  afterFailure: 'attached',
  repair: ['request'],
};

const detach: Scenario = {
  name: 'detach with an export',
  verbs: ['export.remove', 'detach'],
  moments: { detach: onlyAfter },
  prepare: prepareExported,
  request: async ({ client }, { volumeId: volume }) =>
    (await client.call(contract.detachVolume, { params: { volume }, body: {} })).id,
  check: assertGone,
  afterFailure: 'error',
  repair: ['reconcile', 'request'],
};

const resize: Scenario = {
  name: 'resize with an export',
  verbs: ['export.resize', 'resize'],
  moments: { resize: onlyAfter },
  prepare: prepareExported,
  request: async ({ client }, { volumeId: volume }) =>
    (await client.call(contract.resizeVolume, { params: { volume }, body: { size_bytes: 9 * MIB } })).id,
  async check(hand, { volumeId }) {
    const volume = await hand.assertTrue(volumeId, 'attached');
    assert.equal(Number(volume.size_bytes), 9 * MIB);
    assert.equal(volume.reason, null);
    assert.equal(await sizeSeen(await usableUri(hand, volumeId)), 9 * MIB);
    await assertKept(hand, volumeId);
  },
  afterFailure: 'attached',
  repair: ['request'],
};

const qos: Scenario = {
  ...resize,
  name: 'qos with an export',
  verbs: ['export.add'],
  moments: { 'export.add': onlyAfter },
  request: async ({ client }, { volumeId: volume }) =>
    (await client.call(contract.setVolumeQos, { params: { volume }, body: { iops: 500 } })).id,
  async check(hand, { volumeId }) {
    const volume = await hand.assertTrue(volumeId, 'attached');
    assert.deepEqual(volume.qos, { iops: 500 });
    assert.equal(volume.reason, null);
    await assertKept(hand, volumeId);
  },
};

/** The keeper asks for it when the export's daemon is gone. */
const repair: Scenario = {
  name: 'export_repair',
  verbs: ['export.add'],
  prepare: prepareExported,
  async request(hand, { volumeId }) {
    const { connection, state } = (await exportsOf(hand, volumeId))[0]!;
    // The daemon is gone already when an earlier repair has failed.
    if (state === 'active') process.kill(await listenerOf(connection!.port), 'SIGKILL');
    return until('the export is being repaired', async () => {
      const { last_operation: last } = await hand.volume(volumeId);
      if (last?.type === 'volume.export_repair' && last.status !== 'failed') return last.id;
      await hand.client.call(contract.runKeeper, { params: { name: 'export-keeper' }, body: {} });
      return null;
    });
  },
  async check(hand, { volumeId, notes }) {
    const { reason } = await hand.assertTrue(volumeId, 'attached');
    assert.equal(reason, null);
    const [one] = await exportsOf(hand, volumeId);
    assert.equal(one?.id, notes['export']);
    await assertKept(hand, volumeId);
  },
  afterFailure: 'attached',
  repair: ['request'],
};

/** Operations on volumes that are exported; each check also takes the export away, so that one run leaves nothing. */
export const exportScenarios: readonly Scenario[] = [attach, makeExport, unexport, detach, resize, qos, repair];

async function prepareExported(hand: Hand, subject: Subject): Promise<void> {
  subject.volumeId = await hand.create(subject.name);
  const { exportId, uri } = await attachExported(hand, subject.volumeId);
  Object.assign(subject.notes, { export: exportId, uri });
  await write(uri, written);
}

/** The export serves what was written through it; then it goes. */
async function assertKept(hand: Hand, volumeId: string): Promise<void> {
  const uri = await usableUri(hand, volumeId);
  assert.equal(await reads(uri, written), true);
  await assertDetaches(hand, volumeId, uri);
}

async function assertDetaches(hand: Hand, volumeId: string, uri: string): Promise<void> {
  assert.equal((await detachNow(hand, volumeId)).error, null);
  await reachesNothing(uri);
}

async function assertGone(hand: Hand, { volumeId, notes }: Subject): Promise<void> {
  const volume = await hand.assertTrue(volumeId, 'available');
  assert.deepEqual(volume.attachments, []);
  assert.deepEqual(await exportsOf(hand, volumeId), []);
  await reachesNothing(notes['uri']!);
  const { uri } = await attachExported(hand, volumeId);
  assert.equal(await reads(uri, written), true);
  await assertDetaches(hand, volumeId, uri);
}

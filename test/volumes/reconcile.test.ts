import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HoldfastError } from '../../src/kernel/errors/errors.ts';
import { contract } from '../../src/contract.ts';
import { createMemoryBackend } from '../../src/volumes/backends/memory/memory.ts';
import { BackendFaults } from '../support/faulty-backend.ts';
import { until } from '../support/wait.ts';
import { memoryRig, serve, withServer } from './rigs.ts';
import { type Hand, MIB, refused } from './world.ts';

/** Waits until a comparison has ended that is not one of the first so many; gives how many there were. */
function compared(hand: Hand, before: number): Promise<number> {
  return until('a comparison has ended', async () => {
    const { items } = await hand.client.call(contract.listKeepers);
    const { runs, running } = items.find(({ name }) => name === 'volume-reconciler')!;
    return runs > before && !running && runs;
  });
}

/** A volume whose image disappears while the server is down, and a server with these settings that starts after that. */
async function afterLoss(
  flags: Readonly<Record<string, string>>,
  body: (hand: Hand, id: string) => Promise<void>,
): Promise<void> {
  await using rig = await memoryRig();
  const faults = new BackendFaults();
  let id: string;
  let before: number;
  {
    await using first = await serve(rig, faults);
    id = await first.hand.create('lost');
    await first.hand.attach(id, 'node-a');
    await first.hand.create('kept');
    // Its own must not be taken for that of the next.
    before = await compared(first.hand, 0);
  }
  rig.disk!.live.delete(id);
  await using second = await serve(rig, faults, flags);
  await compared(second.hand, before);
  await body(second.hand, id);
  await second.hand.assertTrue((await second.hand.volume('kept')).id, 'available');
}

describe('volumes whose image is gone', () => {
  test('at start, `error` says so on the volume', () =>
    afterLoss({ 'reconcile-db-only': 'error' }, async (hand, id) => {
      const volume = await hand.volume(id);
      assert.equal(volume.state, 'error');
      assert.match(volume.reason!, /no image/);
      assert.equal((await hand.history(id)).at(-1), 'lost');
    }));

  test('at start, `delete` deletes the volume, and its name is free', () =>
    afterLoss({ 'reconcile-db-only': 'delete' }, async (hand, id) => {
      const volume = await hand.assertTrue(id, 'deleted');
      assert.equal(volume.node_id, null);
      assert.deepEqual((await hand.history(id)).slice(-3), ['lost', 'delete', 'deleted']);
      await hand.create('lost');
    }));

  test('at start, `ignore` leaves the volume as it is', () =>
    afterLoss({ 'reconcile-db-only': 'ignore' }, async (hand, id) => {
      assert.equal((await hand.volume(id)).state, 'attached');
    }));

  test('later, the period finds them without a restart', () =>
    withServer({ 'reconcile-interval': '100ms' }, async (hand, rig) => {
      const id = await hand.create('lost');
      rig.disk!.live.delete(id);
      await hand.inState(id, 'error');
    }));

  test('an image that cannot be read is told, and keeps no other volume from being judged', () =>
    withServer({}, async (hand, rig) => {
      const ids = [];
      for (const name of ['one', 'two', 'three']) ids.push(await hand.create(name));
      const [damaged, lost, kept] = ids.sort() as [string, string, string];
      const unreadable = () => {
        throw new HoldfastError('backend', 'The header of the image is damaged.');
      };
      const { live } = rig.disk!;
      live.set(damaged, new Proxy(live.get(damaged)!, { get: unreadable }));
      live.delete(lost);
      const { last_error: problem } = await hand.runReconciler();
      assert.equal((await hand.volume(lost)).state, 'error');
      for (const id of [damaged, kept]) assert.equal((await hand.volume(id)).state, 'available');
      assert.match(problem!, /1 images .* cannot be read/);
    }));

  test('an image in the trash behind a living volume counts as gone, and a reconcile brings it back', () =>
    withServer({}, async (hand, rig) => {
      const id = await hand.create('trashed');
      await createMemoryBackend({ disk: rig.disk! }).trash({ fence: 1, signal: AbortSignal.timeout(1_000) }, id);
      await hand.runReconciler();
      assert.equal((await hand.volume(id)).state, 'error');
      await hand.reconcile(id);
      await hand.assertTrue(id, 'available');
    }));
});

describe('images that no volume knows', () => {
  test('`ignore` leaves them alone', () =>
    withServer({ 'reconcile-backend-only': 'ignore' }, async (hand) => {
      await hand.world.putForeignImage('found', MIB);
      await hand.runReconciler();
      assert.deepEqual((await hand.client.call(contract.listVolumes)).items, []);
    }));

  test('`import` takes them in once, and leaves those with a taken name to people', () =>
    withServer({ 'reconcile-backend-only': 'import' }, async (hand) => {
      await hand.create('taken');
      await hand.world.putForeignImage('taken', MIB);
      await hand.world.putForeignImage('found', MIB);
      await hand.runReconciler();
      await hand.inState('found', 'available');
      await hand.runReconciler();
      const { items } = await hand.client.call(contract.listVolumes);
      assert.deepEqual(items.map(({ name }) => name).toSorted(), ['found', 'taken']);
      await hand.assertTrue((await hand.volume('found')).id, 'available');
      assert.equal((await hand.facts('taken'))?.volumeId, null);
    }));

  test('`import` brings a volume whose row was lost back under its own id and name', () =>
    withServer({ 'reconcile-backend-only': 'import' }, async (hand, rig) => {
      const volumeId = 'vol-01a1fc5d-6468-7000-8f65-50125c0d9dc1';
      rig.disk!.putForeign(volumeId, BigInt(MIB));
      rig.disk!.change(rig.disk!.live.get(volumeId)!, { volumeId, name: 'ours' });
      await hand.runReconciler();
      await hand.inState('ours', 'available');
      await hand.assertTrue(volumeId, 'available');
    }));
});

describe('a backend out of reach', () => {
  test('reconcile answers 503 and the state stays, with the same reason', () =>
    withServer({}, async (hand, _rig, faults) => {
      const id = await hand.inError('out-of-reach');
      const before = await hand.volume(id);
      faults.unreachable('inspect', 'health', 'list');
      await refused(503, hand.client.call(contract.reconcileVolume, { params: { volume: id }, body: {} }));
      assert.deepEqual(await hand.volume(id), before);
    }));

  test('the keeper loses nothing, says why it could not compare, and goes on when it can', () =>
    withServer({}, async (hand, rig, faults) => {
      const id = await hand.create('kept');
      const lost = await hand.create('lost');
      rig.disk!.live.delete(lost);
      for (const verb of ['health', 'inspect'] as const) {
        faults.clear();
        faults.unreachable(verb);
        assert.match((await hand.runReconciler()).last_error ?? '', /cannot be reached/);
        assert.equal((await hand.volume(lost)).state, 'available');
      }
      faults.clear();
      assert.equal((await hand.runReconciler()).last_error, null);
      assert.equal((await hand.volume(lost)).state, 'error');
      await hand.assertTrue(id, 'available');
    }));

  test('operations under way are left to themselves', () =>
    withServer({}, async (hand, _rig, faults) => {
      const held = faults.hold('create', 'before');
      const body = { name: 'under-way', size_bytes: MIB };
      const accepted = await hand.client.call(contract.createVolume, { body });
      await held.reached;
      await hand.runReconciler();
      assert.equal((await hand.volume('under-way')).state, 'creating');
      held.release();
      await hand.completed(accepted.id);
    }));
});

describe('what the keepers of volumes would do', () => {
  test('is what they then do, and telling it changes nothing', () =>
    withServer({ 'reconcile-backend-only': 'import', 'volume-trash-retention': '1s' }, async (hand, rig) => {
      const plan = async (name: string) => {
        const reply = await hand.client.call(contract.runKeeper, { params: { name }, body: { dry_run: true } });
        return reply.plan!.steps.map(({ action, subject }) => `${action} ${subject}`);
      };
      const lost = await hand.create('lost');
      await hand.create('kept');
      const trashed = await hand.create('trashed');
      await hand.delete(trashed);
      await hand.world.putForeignImage('found', MIB);
      rig.disk!.live.delete(lost);
      const [loss, find, ...others] = await plan('volume-reconciler');
      assert.match(
        loss!,
        new RegExp(`^mark lost lost [(]${lost}[)] on .*: The backend has no image of this volume[.]$`),
      );
      assert.match(find!, /^import found on /);
      assert.deepEqual(others, []);
      assert.equal((await hand.volume(lost)).state, 'available');
      await hand.runReconciler();
      await hand.inState(lost, 'error');
      await hand.inState('found', 'available');
      assert.deepEqual(await plan('volume-reconciler'), []);
      await until('the time of what was deleted is up', async () => (await plan('volume-trash')).length > 0);
      assert.match((await plan('volume-trash'))[0]!, new RegExp(`^purge trashed [(]${trashed}[)]`));
      assert.notEqual((await hand.volume(trashed)).trash_expires_at, null);
      assert.deepEqual(await plan('retention'), []);
      await refused(422, plan('export-keeper'));
    }));
});

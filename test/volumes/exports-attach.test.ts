/** Attaching with an export when something of an earlier wish still stands. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contract } from '../../src/contract.ts';
import { withQemu } from '../../src/volumes/exports/nbd/testkit.ts';
import { BackendFaults } from '../support/faulty-backend.ts';
import { attachExported, detach, exportsOf, reachesNothing, runExportKeeper, usableUri } from './exported.ts';
import { type RigServer, fileRig, serve } from './rigs.ts';
import { MIB, refused } from './world.ts';

withQemu('an attach with a transport', () => {
  test('that is wished again is answered by the first one; another wish is refused with what to do', async () => {
    await using stage = await open();
    const { hand } = stage.server;
    const volume = await hand.create('again');
    const first = await attachExported(hand, volume);
    const again = await attachExported(hand, volume);
    assert.deepEqual(again, first);
    const wish = { node_id: 'node-a', transport: 'nbd' as const };
    const attach = (body: object) =>
      hand.client.call(contract.attachVolume, { params: { volume }, body: { ...wish, ...body } });
    assert.match((await refused(409, attach({ tls: true }))).message, /with another export/);
    const plain = await hand.create('plain');
    await hand.attach(plain, 'node-a');
    const call = hand.client.call(contract.attachVolume, { params: { volume: plain }, body: wish });
    assert.match((await refused(409, call)).message, /without an export/);
    assert.deepEqual(await exportsOf(hand, plain), []);
  });

  test('that failed and was found to be attached gets its export from the keeper', async () => {
    await using stage = await open();
    const { hand } = stage.server;
    const volume = await hand.create('failed');
    stage.faults.refuse('export.add');
    const request = { params: { volume }, body: { node_id: 'node-a', transport: 'nbd' as const } };
    assert.equal((await hand.ended((await hand.client.call(contract.attachVolume, request)).id)).status, 'failed');
    stage.faults.clear();
    await hand.reconcile(volume);
    await hand.assertTrue(volume, 'attached');
    const again = await hand.client.call(contract.attachVolume, request);
    assert.equal((await hand.ended(again.id)).status, 'completed', 'answered by what made it attached');
    await runExportKeeper(hand);
    await usableUri(hand, volume);
    assert.equal((await detach(hand, volume)).error, null);
  });

  test('removes first what is still exported of an attachment that is over', async () => {
    await using stage = await open();
    const { hand } = stage.server;
    const volume = await hand.create('over');
    const old = await attachExported(hand, volume);
    // The image loses its attachment behind the server's back, so that a reconcile finds the volume free.
    stage.faults.refuse('export.remove');
    assert.equal((await detach(hand, volume)).status, 'failed');
    stage.faults.clear();
    const { generation } = (await hand.volume(volume)).attachments[0]!;
    const late = { fence: 1_000, signal: AbortSignal.timeout(10_000) };
    const { attachmentId } = old;
    await hand.world.backend.detach(late, volume, { attachmentId, generation, force: false });
    assert.equal((await hand.reconcile(volume)).status, 'completed');
    await hand.assertTrue(volume, 'available');
    const accepted = await hand.client.call(contract.attachVolume, { params: { volume }, body: { node_id: 'node-b' } });
    const { status, steps, error } = await hand.ended(accepted.id);
    assert.deepEqual(steps?.map(({ name }) => name).slice(0, 1), ['remove stale export'], error?.error);
    await reachesNothing(old.uri);
    assert.equal(status, 'failed', 'the fence of the test is higher than that of the server');
  });

  test('has an export that is not brought back by what stood in line behind its removal', async () => {
    await using stage = await open();
    const { hand } = stage.server;
    const volume = await hand.create('line');
    const { exportId, uri } = await attachExported(hand, volume);
    const { reached, release } = stage.faults.hold('export.remove', 'before');
    const removal = { params: { volume, export: exportId } };
    const accepted = [await hand.client.call(contract.deleteExport, removal)];
    await reached;
    const resize = { params: { volume }, body: { size_bytes: 6 * MIB } };
    accepted.push(await hand.client.call(contract.resizeVolume, resize));
    accepted.push(await hand.client.call(contract.setVolumeQos, { params: { volume }, body: { iops: 100 } }));
    release();
    for (const { id } of accepted) assert.equal((await hand.ended(id)).error, null);
    assert.equal(Number((await hand.assertTrue(volume, 'attached')).size_bytes), 6 * MIB);
    await reachesNothing(uri);
    assert.equal((await detach(hand, volume)).error, null);
  });
});

interface Stage extends AsyncDisposable {
  readonly server: RigServer;
  readonly faults: BackendFaults;
}

async function open(): Promise<Stage> {
  const rig = await fileRig();
  const faults = new BackendFaults();
  const server = await serve(rig, faults);
  return {
    server,
    faults,
    async [Symbol.asyncDispose]() {
      await server.stop();
      await rig[Symbol.asyncDispose]();
    },
  };
}

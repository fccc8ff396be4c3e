/** What is refused about exports, at once and without any effect, and the faults of others that this must not have. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { contract } from '../../src/contract.ts';
import type { BodyOf } from '../../src/kernel/http/contract.ts';
import { withQemu } from '../../src/volumes/exports/nbd/testkit.ts';
import { BackendFaults } from '../support/faulty-backend.ts';
import { holdOpen } from '../support/qemu.ts';
import { attachExported, detach, exportsOf, reachesNothing, reads, unexport, write } from '../volumes/exported.ts';
import { type Rig, type RigServer, fileRig, memoryRig, serve } from '../volumes/rigs.ts';
import { type Hand, refused } from '../volumes/world.ts';

type AttachBody = BodyOf<typeof contract.attachVolume>;

withQemu('exports that must not be', () => {
  const faults = new BackendFaults();
  let rig: Rig;
  let server: RigServer;
  let hand: Hand;
  before(async () => {
    rig = await fileRig();
    server = await serve(rig, faults, { 'node-id': 'here' });
    hand = server.hand;
  });
  after(async () => {
    await (server as RigServer | undefined)?.stop();
    await (rig as Rig | undefined)?.[Symbol.asyncDispose]();
  });

  test('bad wishes are refused before anything is accepted', async () => {
    const volume = await hand.create('wishes');
    const nqn = 'nqn.2014-08.org.nvmexpress:uuid:1b4e28ba-2fa1-11d2-883f-0016d3cca427';
    const wishes: readonly (readonly [number, AttachBody, RegExp])[] = [
      [404, { node_id: 'n', transport: 'nbd', export_host: 'nowhere' }, /no host nowhere/],
      [400, { node_id: 'n', transport: 'nbd', allowed_hosts: [nqn] }, /only NVMe/],
      [400, { node_id: 'n', transport: 'nvmeof' }, /allowed_hosts/],
      [400, { node_id: 'n', transport: 'nvmeof', allowed_hosts: ['mine'] }, /NQN/],
      [422, { node_id: 'n', transport: 'nvmeof', allowed_hosts: [nqn] }, /Host here cannot export/],
      [422, { node_id: 'n', transport: 'nbd', chap: true }, /over nbd at host here know no DH-HMAC-CHAP/],
      [400, { node_id: 'n', tls: true }, /transport/],
      [400, { node_id: 'n', chap: true }, /transport/],
      [400, { node_id: 'n', allowed_hosts: [nqn] }, /transport/],
      [400, { node_id: 'n', export_host: 'here' }, /transport/],
      [400, { transport: 'nbd' }, /node_id, or vm_id/],
      [400, { node_id: 'n', vm_id: 'v', transport: 'nbd' }, /not both/],
    ];
    const before = await hand.history(volume);
    for (const [status, body, sentence] of wishes) {
      const call = hand.client.call(contract.attachVolume, { params: { volume }, body });
      const error = await refused(status, call);
      assert.match(error.message, sentence, JSON.stringify(body));
    }
    assert.deepEqual(await hand.history(volume), before);
    await hand.assertTrue(volume, 'available');
  });

  test('a volume that is not attached is not exported', async () => {
    const volume = await hand.create('detached');
    const request = { params: { volume }, body: { transport: 'nbd' as const } };
    assert.match((await refused(409, hand.client.call(contract.createExport, request))).message, /is available/);
    await refused(404, hand.client.call(contract.createExport, { ...request, params: { volume: 'nobody' } }));
    assert.deepEqual(await exportsOf(hand, volume), []);
  });

  test('an attach for a virtual machine is exported as well, and says so', async () => {
    const volume = await hand.create('for-vm');
    const accepted = await hand.client.call(contract.attachVolume, {
      params: { volume },
      body: { vm_id: 'vm-7', transport: 'nbd' },
    });
    await hand.completed(accepted.id);
    const { attachments } = await hand.volume(volume);
    assert.equal(attachments[0]?.vm_id, 'vm-7');
    assert.equal((await exportsOf(hand, volume))[0]?.attachment_id, attachments[0]?.id);
    await detach(hand, volume);
  });

  test('an export of another volume is neither removed nor shown', async () => {
    const [mine, other] = [await hand.create('mine'), await hand.create('other')];
    const { exportId, uri } = await attachExported(hand, mine, { tls: false });
    await refused(404, hand.client.call(contract.deleteExport, { params: { volume: other, export: exportId } }));
    const asked = hand.client.call(contract.getExportCredentials, { params: { volume: other, export: exportId } });
    await refused(404, asked);
    await write(uri, 1);
    await detach(hand, mine);
  });

  test('bug 7: an address of an earlier attachment reaches nothing, whatever is exported since', async () => {
    const [volume, other] = [await hand.create('stale'), await hand.create('stale-other')];
    const old = await attachExported(hand, volume);
    await write(old.uri, 31);
    await detach(hand, volume);
    const next = await attachExported(hand, volume, { node_id: 'node-b' });
    const others = await attachExported(hand, other);
    assert.deepEqual([next.port, others.port], [old.port, old.port], 'the same daemon serves them');
    assert.match(await reachesNothing(old.uri), /not available|no export|not present|not found/i);
    assert.equal(await reads(next.uri, 31), true);
    assert.equal(await reads(others.uri, 31), false);
    assert.equal((await unexport(hand, volume, old.exportId, true)).status, 'completed');
    assert.equal(await reads(next.uri, 31), true, 'a late removal of the old export does not touch the new one');
    await detach(hand, volume);
    await detach(hand, other);
  });

  test('bug 8: the export goes before anything beneath it moves', async () => {
    const volume = await hand.create('order');
    const { uri } = await attachExported(hand, volume);
    const { reached, release } = faults.hold('detach', 'before');
    const accepted = await hand.client.call(contract.detachVolume, { params: { volume }, body: {} });
    await reached;
    await reachesNothing(uri);
    assert.equal((await hand.facts(volume))?.attachment?.nodeId, 'node-a', 'nothing beneath it has moved yet');
    release();
    await hand.completed(accepted.id);
    const client = await attachExported(hand, volume).then(async (one) => ({ ...one, held: await holdOpen(one.uri) }));
    try {
      faults.calls.length = 0;
      assert.equal((await detach(hand, volume)).status, 'failed');
      assert.equal(faults.count('detach'), 0, 'under a client the image is not even asked');
    } finally {
      await client.held.disconnect();
    }
    await detach(hand, volume);
  });

  test('bug 8: a volume that is attached is not deleted, exported or not', async () => {
    const volume = await hand.create('deleted');
    const { uri } = await attachExported(hand, volume);
    await write(uri, 41);
    for (const query of [{}, { purge: true }]) {
      await refused(409, hand.client.call(contract.deleteVolume, { params: { volume }, query }));
    }
    await hand.assertTrue(volume, 'attached');
    assert.equal(await reads(uri, 41), true);
    await detach(hand, volume);
    await hand.delete(volume);
    await reachesNothing(uri);
  });
});

withQemu('exports of what no program on a host can open', () => {
  test('are refused, and the volume is as free as before', async () => {
    await using rig = await memoryRig();
    await using server = await serve(rig, new BackendFaults());
    const { hand } = server;
    const volume = await hand.create('in-memory');
    const body = { node_id: 'n', transport: 'nbd' as const };
    const error = await refused(422, hand.client.call(contract.attachVolume, { params: { volume }, body }));
    assert.match(error.message, /memory backend cannot be exported/);
    await hand.assertTrue(volume, 'available');
    await hand.attach(volume, 'n');
    const request = { params: { volume }, body: { transport: 'nbd' as const } };
    await refused(422, hand.client.call(contract.createExport, request));
    await hand.assertTrue(volume, 'attached');
  });
});

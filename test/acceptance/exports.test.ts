/** Volumes on files, used over NBD by real clients. */
import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { contract } from '../../src/contract.ts';
import { withQemu } from '../../src/volumes/exports/nbd/testkit.ts';
import { BackendFaults } from '../support/faulty-backend.ts';
import { holdOpen, runClient, tryQemuIo } from '../support/qemu.ts';
import { temporaryDirectory } from '../support/temp.ts';
import {
  attachExported,
  detach,
  exportedBy,
  exportsOf,
  reachesNothing,
  reads,
  sizeSeen,
  unexport,
  write,
} from '../volumes/exported.ts';
import { type Rig, type RigServer, fileRig, serve } from '../volumes/rigs.ts';
import { type Hand, MIB, refused } from '../volumes/world.ts';

withQemu('volumes over NBD', () => {
  let rig: Rig;
  let server: RigServer;
  let hand: Hand;
  before(async () => {
    rig = await fileRig();
    server = await serve(rig, new BackendFaults());
    hand = server.hand;
  });
  after(async () => {
    await (server as RigServer | undefined)?.stop();
    await (rig as Rig | undefined)?.[Symbol.asyncDispose]();
  });

  test("attached, written from another machine's side, detached, attached again: the bytes are there", async () => {
    await using directory = await temporaryDirectory();
    const volume = await hand.create('path');
    const first = await attachExported(hand, volume);
    await hand.assertTrue(volume, 'attached');
    assert.match(first.uri, new RegExp(`^nbd://127\\.0\\.0\\.1:${first.port}/${volume}\\.g1$`));
    assert.equal(await sizeSeen(first.uri), 4 * MIB);
    const content = join(directory.path, 'content');
    await writeFile(content, Buffer.alloc(4 * MIB, 'Holdfast '));
    const copied = await runClient('nbdcopy', ['--flush', content, first.uri]);
    assert.equal(copied.status, 0, copied.stderr);
    assert.equal((await detach(hand, volume)).status, 'completed');
    await hand.assertTrue(volume, 'available');
    assert.deepEqual(await exportsOf(hand, volume), []);
    await reachesNothing(first.uri);

    const second = await attachExported(hand, volume, { node_id: 'node-b', mode: 'ro' });
    const back = join(directory.path, 'back');
    const read = await runClient('nbdcopy', [second.uri, back]);
    assert.equal(read.status, 0, read.stderr);
    assert.ok((await readFile(back)).equals(await readFile(content)));
    const refusal = await tryQemuIo(second.uri, 'write 0 512');
    assert.match(refusal.stdout + refusal.stderr, /read-only|Permission|permitted/i);
    await detach(hand, volume);
  });

  test('every command that the export tells can be pasted', async () => {
    const volume = await hand.create('commands');
    await attachExported(hand, volume);
    const [one] = await exportsOf(hand, volume);
    const inspect = one?.connection?.commands.find(({ purpose }) => purpose === 'inspect');
    assert.ok(inspect);
    const { status, stdout, stderr } = await runClient('sh', ['-c', inspect.command]);
    assert.equal(status, 0, stderr);
    assert.match(stdout, new RegExp(`export-size: ${4 * MIB}`));
    await detach(hand, volume);
  });

  test('with TLS nobody connects without the key', async () => {
    await using directory = await temporaryDirectory();
    const volume = await hand.create('tls');
    const { uri, exportId } = await attachExported(hand, volume, { tls: true });
    assert.match(uri, /^nbds:/);
    const params = { volume, export: exportId };
    const credentials = await hand.client.call(contract.getExportCredentials, { params });
    assert.ok('psk_file' in credentials);
    const { psk_file: line, key_hex: key } = credentials;
    const withKey = async (name: string, text: string): Promise<string> => {
      const path = join(directory.path, name);
      await writeFile(path, `${text}\n`, { mode: 0o600 });
      return uri.replace('keys.psk', path);
    };
    assert.equal(await sizeSeen(await withKey('right.psk', line)), 4 * MIB);
    const wrong = line.replace(key, '0'.repeat(key.length));
    for (const address of [await withKey('wrong.psk', wrong), plain(uri)]) {
      const { status, stdout } = await runClient('nbdinfo', ['--size', address]);
      assert.notEqual(status, 0, address);
      assert.doesNotMatch(stdout, /\d/);
    }
    const told = JSON.stringify(await exportsOf(hand, volume));
    assert.ok(!told.includes(key), 'the list of exports tells no key');
    await detach(hand, volume);
    const gone = await hand.client.call(contract.getExportCredentials, { params }).catch((error: unknown) => error);
    assert.equal((gone as { status?: number }).status, 404, 'the key goes with the export');
  });

  test('an export of its own: made, listed, removed; the volume stays attached', async () => {
    const volume = await hand.create('own');
    await hand.attach(volume, 'node-a');
    const { uri, exportId } = await makeExport(volume);
    await write(uri, 7);
    const again = hand.client.call(contract.createExport, { params: { volume }, body: { transport: 'nbd' } });
    assert.match((await refused(409, again)).message, /exported already/);
    assert.equal((await unexport(hand, volume, exportId)).status, 'completed');
    await reachesNothing(uri);
    await hand.assertTrue(volume, 'attached');
    assert.deepEqual(await exportsOf(hand, volume), []);
    assert.equal((await unexport(hand, volume, exportId)).status, 'completed', 'gone is gone');
    const next = await makeExport(volume);
    assert.equal(await reads(next.uri, 7), true);
    const strange = { params: { volume, export: 'exp-01930000-0000-7000-8000-000000000000' } };
    await refused(404, hand.client.call(contract.deleteExport, strange));
    await detach(hand, volume);
  });

  test('a client that is connected keeps an export, and force cuts it', async () => {
    const volume = await hand.create('force');
    const { uri, exportId } = await attachExported(hand, volume);
    const client = await holdOpen(uri);
    try {
      const refusal = await unexport(hand, volume, exportId);
      assert.equal(refusal.status, 'failed');
      assert.match(refusal.error!.error, /client is connected/);
      assert.equal(refusal.error!.code, 'CONFLICT');
      const [kept] = await exportsOf(hand, volume);
      assert.equal(kept?.state, 'active');
      assert.match(await client.command('write -P 9 0 64k'), /wrote 65536/);
      assert.equal((await unexport(hand, volume, exportId, true)).status, 'completed');
      assert.doesNotMatch(await client.command('write -P 10 0 64k'), /wrote 65536/);
    } finally {
      await client.disconnect();
    }
    await detach(hand, volume);
    const next = await attachExported(hand, volume);
    assert.equal(await reads(next.uri, 10), false, 'what the cut client wrote later never came');
    await detach(hand, volume);
  });

  test('a detach under a client is refused and changes nothing; by force the client is cut first', async () => {
    const volume = await hand.create('forced-detach');
    const { uri } = await attachExported(hand, volume);
    const client = await holdOpen(uri);
    try {
      const refusal = await detach(hand, volume);
      assert.equal(refusal.status, 'failed');
      assert.equal(refusal.error!.code, 'CONFLICT');
      const { reason } = await hand.assertTrue(volume, 'attached');
      assert.match(reason ?? '', /client is connected/);
      assert.match(await client.command('write -P 11 0 64k'), /wrote 65536/);
      assert.equal((await detach(hand, volume, { force: true })).status, 'completed');
      assert.doesNotMatch(await client.command('write -P 12 0 64k'), /wrote 65536/);
    } finally {
      await client.disconnect();
    }
    await hand.assertTrue(volume, 'available');
  });

  test('resized while exported: clients that come then see the size; under a client it is refused and changes nothing', async () => {
    const volume = await hand.create('resize');
    const { uri } = await attachExported(hand, volume);
    await write(uri, 13);
    const resize = async (sizeBytes: number) => {
      const request = { params: { volume }, body: { size_bytes: sizeBytes } };
      return hand.ended((await hand.client.call(contract.resizeVolume, request)).id);
    };
    assert.equal((await resize(6 * MIB)).error, null);
    assert.equal(await sizeSeen(uri), 6 * MIB);
    assert.equal(await reads(uri, 13), true);
    const client = await holdOpen(uri);
    try {
      const refusal = await resize(8 * MIB);
      assert.equal(refusal.status, 'failed');
      assert.equal(refusal.error!.code, 'CONFLICT');
      assert.match(refusal.error!.error, /client is connected/);
      const { size_bytes: size, location } = await hand.assertTrue(volume, 'attached');
      assert.equal(Number(size), 6 * MIB);
      assert.equal((await stat(location!)).size, 6 * MIB);
      assert.match(await client.command('write -P 14 0 64k'), /wrote 65536/, 'the client was not disturbed');
    } finally {
      await client.disconnect();
    }
    assert.equal((await resize(8 * MIB)).error, null);
    assert.equal(await sizeSeen(uri), 8 * MIB);
    await detach(hand, volume);
    await hand.assertTrue(volume, 'available');
  });

  test('limits hold at once for a client that is connected', async () => {
    const volume = await hand.create('qos');
    const { uri } = await attachExported(hand, volume);
    const limit = async (body: Record<string, number>) => {
      const accepted = await hand.client.call(contract.setVolumeQos, { params: { volume }, body });
      await hand.completed(accepted.id);
    };
    const client = await holdOpen(uri);
    try {
      const secondsFor = async () => {
        const beganAt = performance.now();
        for (let round = 0; round < 3; round++) assert.match(await client.command('write 0 1M'), /wrote 1048576/);
        return (performance.now() - beganAt) / 1000;
      };
      await limit({ bytes_per_second: MIB });
      const limited = await secondsFor();
      await limit({});
      // Of three times the shortest: the limit would hold in each, and a busy machine is slow in one or the other.
      const free = Math.min(await secondsFor(), await secondsFor(), await secondsFor());
      // 3 MiB at 1 MiB a second, of which the first may be a burst.
      assert.ok(limited > 0.8, `limited: ${limited} s`);
      assert.ok(free < limited / 2, `free: ${free} s, limited: ${limited} s`);
    } finally {
      await client.disconnect();
    }
    assert.deepEqual((await hand.volume(volume)).qos, {});
    await detach(hand, volume);
  });

  test('snapshots are taken beneath an export, and a revert is not done under it', async () => {
    const volume = await hand.create('snapshots');
    const { uri } = await attachExported(hand, volume);
    await write(uri, 21);
    const taken = await hand.client.call(contract.createSnapshot, { params: { volume }, body: { name: 's1' } });
    const snapshot = await hand.ended(taken.id);
    const revert = hand.client.call(contract.revertVolume, { params: { volume }, body: { snapshot_id: 's1' } });
    await refused(409, revert);
    await write(uri, 22);
    await detach(hand, volume);
    assert.equal(snapshot.error, null);
    const back = await hand.client.call(contract.revertVolume, { params: { volume }, body: { snapshot_id: 's1' } });
    await hand.completed(back.id);
    const again = await attachExported(hand, volume);
    assert.equal(await reads(again.uri, 21), true);
    await detach(hand, volume);
  });

  async function makeExport(volume: string) {
    const accepted = await hand.client.call(contract.createExport, { params: { volume }, body: { transport: 'nbd' } });
    return exportedBy(hand, volume, await hand.completed(accepted.id));
  }
});

/** The address of a TLS export as somebody without a key would try it. */
function plain(uri: string): string {
  return uri.replace(/^nbds:\/\/[^@]+@/, 'nbd://').replace(/\?.*$/, '');
}

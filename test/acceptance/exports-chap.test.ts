/** Keys of hosts for NVMe exports, from the request to the command that is pasted; `test/guest/clients.test.ts` has a kernel. */
import assert from 'node:assert/strict';
import { chmod, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { contract } from '../../src/contract.ts';
import type { BodyOf } from '../../src/kernel/http/contract.ts';
import { CommandLine } from '../support/command-line.ts';
import { BackendFaults } from '../support/faulty-backend.ts';
import { type MemoryNvmeof, memoryNvmeof } from '../support/memory-nvmeof.ts';
import { temporaryDirectory } from '../support/temp.ts';
import { attachExported, detach, exportsOf } from '../volumes/exported.ts';
import { type Rig, type RigServer, fileRig, serve } from '../volumes/rigs.ts';
import { type Hand, refused } from '../volumes/world.ts';

const nqnOf = (digit: number) =>
  `nqn.2014-08.org.nvmexpress:uuid:${String(digit).repeat(8)}-1111-4111-8111-111111111111`;
const wish = { transport: 'nvmeof' as const, allowed_hosts: [nqnOf(1)], chap: true };
const keyForm = /^DHHC-1:00:[A-Za-z0-9+/]{48}:$/;

describe('NVMe exports for hosts that prove themselves', () => {
  let rig: Rig;
  let server: RigServer;
  let target: MemoryNvmeof;
  let hand: Hand;
  before(async () => {
    rig = await fileRig();
    server = await serve(rig, new BackendFaults(), { 'node-id': 'here' }, (made) =>
      made.kind === 'nvmeof' ? (target = memoryNvmeof(made)) : made,
    );
    hand = server.hand;
  });
  after(async () => {
    await (server as RigServer | undefined)?.stop();
    await (rig as Rig | undefined)?.[Symbol.asyncDispose]();
  });

  async function keysOf(volume: string) {
    const [one] = await exportsOf(hand, volume);
    const params = { volume, export: one!.id };
    const keys = await hand.client.call(contract.getExportCredentials, { params });
    assert.ok('dhchap_secret' in keys);
    return keys;
  }

  function attach(volume: string, body: Partial<BodyOf<typeof contract.attachVolume>>) {
    return hand.client.call(contract.attachVolume, { params: { volume }, body: { node_id: 'node-a', ...body } });
  }

  test('have keys in both directions that only the credentials tell, and that go with the export', async () => {
    const volume = await hand.create('keys');
    const { exportId, operation } = await attachExported(hand, volume, wish);
    const [one] = await exportsOf(hand, volume);
    assert.deepEqual([one?.is_chap, one?.is_tls], [true, false]);
    const { dhchap_secret: key, dhchap_ctrl_secret: controllerKey } = await keysOf(volume);
    assert.match(key, keyForm);
    assert.match(controllerKey ?? '', keyForm);
    assert.notEqual(key, controllerKey);
    assert.deepEqual(target.specs.get(exportId)?.dhchap, { key, controllerKey });
    const { items } = await hand.client.call(contract.listEvents, { query: { limit: 200 } });
    const told = JSON.stringify([one, operation, items, await hand.volume(volume)]);
    for (const secret of [key, controllerKey!]) {
      assert.ok(!told.includes(secret), 'nothing else tells a key');
      assert.deepEqual(await filesWith(rig.flags['data-dir']!, secret), [], 'it is sealed at rest');
    }
    await detach(hand, volume);
    const params = { volume, export: exportId };
    await refused(404, hand.client.call(contract.getExportCredentials, { params }));
  });

  test('of one host have the same keys, and all have them or none', async () => {
    const [volume, other, third] = await Promise.all(['a', 'b', 'c'].map((name) => hand.create(name)));
    await attachExported(hand, volume!, wish);
    await attachExported(hand, other!, { ...wish, allowed_hosts: [nqnOf(2), nqnOf(1)] });
    const keys = await keysOf(volume!);
    assert.deepEqual(await keysOf(other!), keys);
    const plain = await refused(409, attach(third!, { transport: 'nvmeof', allowed_hosts: [nqnOf(2)] }));
    assert.match(plain.message, /need keys there/);
    await attachExported(hand, third!, { ...wish, allowed_hosts: [nqnOf(3)] });
    assert.notDeepEqual(await keysOf(third!), keys, 'another host has others');
    const both = { ...wish, allowed_hosts: [nqnOf(1), nqnOf(3)] };
    const fourth = await hand.create('d');
    assert.match((await refused(409, attach(fourth, both))).message, /keys of their own/);
    const open = { transport: 'nvmeof' as const, allowed_hosts: [nqnOf(4)] };
    await attachExported(hand, fourth, open);
    const fifth = await hand.create('e');
    assert.match((await refused(409, attach(fifth, { ...wish, ...open }))).message, /without keys/);
    await hand.assertTrue(fifth, 'available');
    for (const each of [volume!, other!, third!, fourth]) await detach(hand, each);
  });

  test('are wished again with the same wish alone', async () => {
    const volume = await hand.create('again');
    const first = await attachExported(hand, volume, wish);
    const keys = await keysOf(volume);
    assert.deepEqual(await attachExported(hand, volume, wish), first);
    assert.deepEqual(await keysOf(volume), keys);
    assert.match((await refused(409, attach(volume, { ...wish, chap: false }))).message, /with another export/);
    await detach(hand, volume);
  });

  test('are refused where the kernel knows no keys, and the volume is as free as before', async () => {
    const volume = await hand.create('old-kernel');
    target.hasAuth = false;
    const { status, error } = await hand.ended((await attach(volume, wish)).id);
    target.hasAuth = true;
    assert.equal(status, 'failed');
    assert.match(error?.error ?? '', /no NVMe authentication/);
    await hand.assertTrue(volume, 'available');
    assert.deepEqual(await exportsOf(hand, volume), []);
  });

  test('belong to their host, also when it was named by its id', async () => {
    const volume = await hand.create('by-id');
    const { id } = await hand.client.call(contract.getHost, { params: { host: 'here' } });
    await attachExported(hand, volume, { ...wish, export_host: id });
    assert.equal((await exportsOf(hand, volume))[0]?.host, 'here');
    await detach(hand, volume);
  });

  test('on the command line: attached, the keys fetched into a file, and the printed command pasted', async () => {
    await using directory = await temporaryDirectory();
    const cli = new CommandLine(directory.path, () => server.url);
    const volume = await hand.create('cli');
    const where = ['--node', 'node-1', '--transport', 'nvmeof', '--allow-host', nqnOf(1), '--chap', '--wait'];
    const printed = await cli.ok('volume', 'attach', volume, ...where);
    const command = (purpose: string) => new RegExp(`^  ${purpose} +(.*)$`, 'm').exec(printed)?.[1] ?? '';
    assert.equal(command('get the key'), `holdfast volume export-key ${volume} --output dhchap.keys`);
    assert.match(await cli.ok('volume', 'exports', volume), /^nvmeof +here +active +rw +yes +exp-\S+$/m);
    const { dhchap_secret: key, dhchap_ctrl_secret: controllerKey } = await keysOf(volume);
    assert.equal(await cli.ok('volume', 'export-key', volume), `${key}\n${controllerKey}\n`);

    const nvme = join(directory.path, 'nvme');
    await writeFile(nvme, '#!/bin/sh\nprintf "%s\\n" "$@"\n');
    await chmod(nvme, 0o755);
    const pasted = await cli.shell(`${command('get the key')} && PATH=.:$PATH && ${command('attach')}`);
    assert.equal(pasted.code, 0, pasted.stderr);
    const given = pasted.stdout.toString().split('\n');
    assert.ok(given.includes(`--dhchap-secret=${key}`), pasted.stdout.toString());
    assert.ok(given.includes(`--dhchap-ctrl-secret=${controllerKey}`));
    assert.equal((await stat(join(directory.path, 'dhchap.keys'))).mode & 0o777, 0o600);
    await detach(hand, volume);
  });
});

/** The files below a directory that have the text in them. */
async function filesWith(directory: string, text: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  // One that has gone since it was listed has nothing in it.
  const contents = await Promise.all(files.map((file) => readFile(file).catch(() => Buffer.alloc(0))));
  return files.filter((_file, at) => contents[at]!.includes(text));
}

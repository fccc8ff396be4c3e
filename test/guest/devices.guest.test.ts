import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { newSpec } from '../../src/volumes/exports/conformance/suite.ts';
import { createNbdTarget } from '../../src/volumes/exports/nbd/nbd.ts';
import { anyPorts, newFile } from '../../src/volumes/exports/nbd/testkit.ts';
import type { ExportSpec, ExportTarget, LiveExport } from '../../src/volumes/exports/target.ts';
import { guestMissing } from '../support/guest/guest.ts';
import { qemuMissing } from '../support/qemu.ts';
import { temporaryDirectory } from '../support/temp.ts';
import { until } from '../support/wait.ts';
import type { AgentState } from './devices-agent.ts';
import { DevicesStage } from './devices-stage.ts';

const sizeBytes = 1024 * 1024;
const newVolume = () => `vol-${randomUUID()}`;
const knows = (...ids: readonly string[]) => ids.map((volumeId) => ({ volumeId, uuids: [] }));
const pathOf = (volumeId: string) => `/dev/mapper/${volumeId}`;
const stateOf = (state: AgentState, volumeId: string) => state.links.find((each) => each.volumeId === volumeId)?.state;
const deviceOf = (state: AgentState, volumeId: string) => state.matches.find(([id]) => id === volumeId)?.[1];

const missing = guestMissing() ?? qemuMissing();
if (missing === null) {
  describe('devices on a real kernel', devices);
} else {
  const isRequired = process.env['HOLDFAST_REQUIRE_REAL'] === '1';
  test('devices on a real kernel', { skip: isRequired ? false : missing }, () => {
    assert.fail(`HOLDFAST_REQUIRE_REAL is set, but ${missing}`);
  });
}

function devices(): void {
  let stage: DevicesStage;
  before(async () => {
    stage = await DevicesStage.open(['dm-mod', 'nbd']);
    await stage.sees('the agent looks', () => true);
  });
  after(() => stage[Symbol.asyncDispose]());

  describe('disks that are plugged in', () => {
    const [a, b, c] = [newVolume(), newVolume(), newVolume()];
    const known = knows(a, b, c);

    test('are told apart by serial though they have one size, and get their names', async () => {
      const { health } = await stage.sees('health', () => true);
      assert.match(health, /^Links are made by dmsetup [\d.]+ and device-mapper [\d.]+\.$/);
      await Promise.all([stage.plug(a, 'a', sizeBytes), stage.plug(b, 'b', sizeBytes)]);
      const state = await stage.keeps('both are linked', { known, wanted: [a, b] });
      assert.deepEqual(
        state.links.map(({ devicePath }) => devicePath),
        [pathOf(a), pathOf(b)],
      );
      assert.deepEqual([await stage.readsMark(pathOf(a)), await stage.readsMark(pathOf(b))], ['a', 'b']);
    });

    test('are not mistaken when a letter is reused, and keep their names when they come back', async () => {
      const first = deviceOf(await stage.sees('a is there', () => true), a);
      const gone = (state: AgentState) => state.links.length === 1 && state.leftovers.length === 0;
      await stage.keeps('a is not wanted', { known, wanted: [b] }, gone);
      assert.notEqual((await stage.guest.attempt(['test', '-e', pathOf(a)])).status, 0);
      await stage.pull('a');
      await stage.sees('a is gone', (state) => deviceOf(state, a) === undefined);
      await stage.plug(c, 'c', sizeBytes);
      const all = { known, wanted: [a, b, c] };
      const reused = await stage.keeps('c is linked', all, (state) => stateOf(state, c) === 'linked');
      assert.equal(deviceOf(reused, c), first);
      assert.equal(stateOf(reused, a), 'waiting');
      assert.notEqual((await stage.guest.attempt(['test', '-e', pathOf(a)])).status, 0);
      assert.equal(await stage.readsMark(pathOf(c)), 'c');
      await stage.plugAgain(a, 'a');
      const back = await stage.sees('a is back', (state) => stateOf(state, a) === 'linked');
      assert.notEqual(deviceOf(back, a), first);
      assert.equal(await stage.readsMark(pathOf(a)), 'a');
    });

    test('may be pulled out under an open link, which leads to them when they are back, and is removed when closed', async () => {
      const holder = stage.guest.start(`exec 3<${pathOf(a)}; exec sleep 120`, { timeoutMs: 120_000 });
      holder.ended.catch(() => undefined);
      const opens = async () =>
        (await stage.guest.run(['dmsetup', 'info', '-c', '--noheadings', '-o', 'open', a])).trim();
      await until('the link is open', async () => (await opens()) === '1');
      await stage.pull('a');
      await stage.sees('a is gone', (state) => stateOf(state, a) === 'waiting');
      await stage.plugAgain(a, 'a');
      await stage.sees('a is back', (state) => stateOf(state, a) === 'linked');
      assert.deepEqual([await opens(), await stage.readsMark(pathOf(a))], ['1', 'a']);
      const held = await stage.keeps('it is held', { known, wanted: [b, c] }, (state) => state.leftovers.length === 1);
      assert.match(held.leftovers[0]?.reason ?? '', /is open \(1\)/);
      assert.equal(await stage.readsMark(pathOf(a)), 'a');
      holder.kill();
      await stage.sees('it went', (state) => state.leftovers.length === 0);
      assert.equal(
        await stage.guest.run(['dmsetup', 'info', '-c', '--noheadings', '-o', 'name,uuid', '-S', `name=${a}`]),
        '',
      );
    });

    test('grow under their links', async () => {
      await stage.guest.qmp('block_resize', { 'node-name': 'node-b', size: 2 * sizeBytes });
      const size = () => stage.guest.run(['blockdev', '--getsize64', pathOf(b)]);
      await until('the link has grown', async () => Number(await size()) === 2 * sizeBytes);
    });
  });

  describe('bugs of others that are none here', () => {
    const [a, other] = [newVolume(), newVolume()];
    const known = knows(a, other);
    const table = async (volumeId: string) => (await stage.guest.run(['dmsetup', 'table', volumeId])).trim();
    /** An old name of `a`, which points at the disk of the other. */
    const makeOldName = (...args: readonly string[]) =>
      stage.guest.run(['sh', '-c', 'dmsetup create "$@"', 'sh', a, ...args], {
        input: `0 ${sizeBytes / 512} linear ${targetOfOther} 0\n`,
        env: { DM_DISABLE_UDEV: '1' },
      });
    let targetOfOther = '';

    before(async () => {
      await Promise.all([stage.plug(a, 'x', sizeBytes), stage.plug(other, 'y', sizeBytes)]);
      await stage.keeps('only the other is linked', { known, wanted: [other] });
      await stage.sees('both are seen', (state) => state.matches.length === 2);
      targetOfOther = (await table(other)).split(' ')[3] ?? '';
    });

    test('an old name of unknown make that points at another disk is not taken for the volume', async () => {
      await makeOldName();
      const state = await stage.keeps('it is refused', { known, wanted: [a, other] }, ({ links }) =>
        /not ours/.test(links[0]?.reason ?? ''),
      );
      assert.deepEqual([stateOf(state, a), stateOf(state, other)], ['failed', 'linked']);
      assert.match(await table(a), new RegExp(` linear ${targetOfOther} 0$`));
      await stage.guest.run(['dmsetup', 'remove', a], { env: { DM_DISABLE_UDEV: '1' } });
      await stage.sees('it is linked', ({ links }) => links.every((each) => each.state === 'linked'));
      assert.equal(await stage.readsMark(pathOf(a)), 'x');
    });

    test('an old name of ours that points at another disk is cut, and then made right, under its holder', async () => {
      const before = stage.states.length;
      stage.pause();
      const repoint = `echo "0 2048 linear ${targetOfOther} 0" | dmsetup load ${a} && dmsetup resume ${a}`;
      const holder = stage.guest.start(`exec 3<>${pathOf(a)} && ${repoint} && exec sleep 120`, { timeoutMs: 120_000 });
      holder.ended.catch(() => undefined);
      await until('the old name leads elsewhere', async () => (await stage.readsMark(pathOf(a))) === 'y');
      stage.resume();
      const wasCut = () => stage.states.slice(before).find(({ cut }) => cut.includes(a));
      await stage.sees('it was cut', () => wasCut() !== undefined);
      await stage.sees('it is right', (state) => stateOf(state, a) === 'linked');
      assert.deepEqual([await stage.readsMark(pathOf(a)), await stage.readsMark(pathOf(other))], ['x', 'y']);
      holder.kill();
      await stage.keeps('all went', { known, wanted: [] }, (state) => state.leftovers.length === 0);
    });
  });

  nbdDevices(() => stage);
}

function nbdDevices(stage: () => DevicesStage): void {
  describe('devices on NBD', () => {
    const signal = () => AbortSignal.timeout(20_000);
    let directory: { readonly path: string } & AsyncDisposable;
    let target: ExportTarget;
    let spec: ExportSpec;
    let live: LiveExport;
    before(async () => {
      directory = await temporaryDirectory();
      target = createNbdTarget({ ports: anyPorts, runDirectory: directory.path });
      spec = newSpec(await newFile(directory.path, 32n * 1024n * 1024n));
    });
    after(async () => {
      await target.close();
      await directory[Symbol.asyncDispose]();
    });

    /** Exports the volume under the next generation, and connects the guest to it. */
    async function attach(generation: number): Promise<AgentState> {
      spec = { ...spec, generation };
      live = await target.add({ signal: signal() }, spec);
      const { port, name } = live.connection;
      const connect = ['nbd-client', '10.0.2.2', String(port), `/dev/nbd${generation}`, '-N', name, '-nonetlink'];
      await stage().guest.run(connect);
      const known = [{ volumeId: spec.volumeId, uuids: [], generation }];
      return stage().keeps('it is linked', { known, wanted: [spec.volumeId] });
    }

    const path = () => pathOf(spec.volumeId);
    const write = () =>
      stage().guest.attempt(['dd', 'if=/dev/zero', `of=${path()}`, 'bs=4096', 'seek=6144', 'count=1', 'oflag=direct']);
    const isCutOff = (state: AgentState) => state.cut.length === 0 && stateOf(state, spec.volumeId) !== 'linked';

    test('are known by the export that their client names, and keep files', async () => {
      const state = await attach(1);
      assert.deepEqual(state.matches, [[spec.volumeId, 'nbd1', 'nbd_export']]);
      await stage().guest.run(
        `mkfs.ext4 -q -O ^has_journal ${path()} 16M && mkdir -p /mnt/v && mount ${path()} /mnt/v && echo kept > /mnt/v/file && sync && umount /mnt/v`,
      );
      assert.equal((await write()).status, 0);
    });

    test('fail the next write when the export is taken away by force', async () => {
      await target.remove({ signal: signal() }, spec.exportId, { force: true });
      assert.notEqual((await write()).status, 0);
      await stage().sees('it is not linked', isCutOff);
      assert.match(await stage().guest.run(['dmsetup', 'table', spec.volumeId]), / error/);
    });

    test('have the bytes when they are exported again, under the same name', async () => {
      await attach(2);
      assert.equal(await stage().guest.run(`mount ${path()} /mnt/v && cat /mnt/v/file && umount /mnt/v`), 'kept\n');
    });

    test('fail the next write when the storage daemon was killed, and have the bytes after', async () => {
      const { detail } = await target.health(signal());
      process.kill(Number(/process (\d+)/.exec(detail)?.[1]), 'SIGKILL');
      await until('a write fails', async () => (await write()).status !== 0);
      await stage().sees('it is not linked', isCutOff);
      await attach(3);
      assert.equal(await stage().guest.run(`mount ${path()} /mnt/v && cat /mnt/v/file && umount /mnt/v`), 'kept\n');
      await stage().guest.run(['nbd-client', '-d', '/dev/nbd3']);
      await stage().sees('it waits', (state) => stateOf(state, spec.volumeId) === 'waiting');
    });
  });
}

import assert from 'node:assert/strict';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/temp.ts';
import { until } from '../../../test/support/wait.ts';
import { deviceChanges } from './changes.ts';
import { changeAttribute, device, removeDevice, writeDevice } from './test-devices.ts';
import { DeviceWatch, type WatchOptions } from './watch.ts';

/** A watch on trees of its own, and everything it told. */
async function watched(given: Partial<WatchOptions> = {}) {
  const directory = await temporaryDirectory();
  const [sysBlock, byId] = [join(directory.path, 'block'), join(directory.path, 'by-id')];
  await mkdir(sysBlock);
  const told: string[] = [];
  const problems: unknown[] = [];
  const watch = new DeviceWatch({
    sysBlock,
    byId,
    pollIntervalMs: 60,
    deadlineMs: 5_000,
    onChanges: (changes) => told.push(...changes.map((each) => `${each.kind} ${each.device.serial}`)),
    onProblem: (error) => problems.push(error),
    ...given,
  });
  const dispose = async () => {
    await watch.close();
    await directory[Symbol.asyncDispose]();
  };
  return { sysBlock, byId, told, problems, watch, [Symbol.asyncDispose]: dispose };
}

const disk = (serial: string, diskseq: string) => ({ dev: '254:16\n', size: '8\n', serial, diskseq });

describe('a watch of devices', () => {
  test('tells what appeared, was resized and vanished, by polling alone', async () => {
    await using it = await watched();
    await writeDevice(it.sysBlock, 'vdb', disk('one', '1'));
    await until('it appeared', () => it.told.includes('appeared one'));
    await changeAttribute(it.sysBlock, 'vdb/size', '16\n');
    await until('it grew', () => it.told.includes('resized one'));
    assert.equal(it.watch.devices[0]?.sizeBytes, 8_192n);
    await removeDevice(it.sysBlock, 'vdb');
    await until('it vanished', () => it.told.includes('vanished one'));
    assert.deepEqual(it.told, ['appeared one', 'resized one', 'vanished one']);
    assert.equal(it.watch.hasWakeup, false);
  });

  test('is woken by a change among the links long before its next poll', async () => {
    await using it = await watched({ pollIntervalMs: 3_600_000 });
    await mkdir(it.byId);
    it.watch.wake();
    await until('the links are watched', () => it.watch.hasWakeup);
    await writeDevice(it.sysBlock, 'vdb', disk('one', '1'));
    await writeFile(join(it.byId, 'virtio-one'), '');
    await until('it appeared', () => it.told.includes('appeared one'));
  });

  test('follows a directory of links that went and came back', async () => {
    await using it = await watched();
    await mkdir(it.byId);
    await until('the links are watched', () => it.watch.hasWakeup);
    await rm(it.byId, { recursive: true });
    await until('they are gone', () => !it.watch.hasWakeup);
    await mkdir(it.byId);
    await until('they are watched again', () => it.watch.hasWakeup);
  });

  test('takes a root that cannot be read for no news, not for vanished devices', async () => {
    await using it = await watched();
    await writeDevice(it.sysBlock, 'vdb', disk('one', '1'));
    await until('it appeared', () => it.told.includes('appeared one'));
    await rename(it.sysBlock, `${it.sysBlock}.away`);
    const before = await until('a problem', () => it.problems.length);
    await until('it goes on', () => it.problems.length > before);
    assert.deepEqual([it.told, it.watch.devices.length], [['appeared one'], 1]);
    await rename(`${it.sysBlock}.away`, it.sysBlock);
    await changeAttribute(it.sysBlock, 'vdb/size', '16\n');
    await until('it is read again', () => it.told.includes('resized one'));
    assert.deepEqual(it.told, ['appeared one', 'resized one']);
  });

  test('survives a listener that throws', async () => {
    let calls = 0;
    const onChanges = () => {
      calls += 1;
      throw new Error('the listener');
    };
    await using it = await watched({ onChanges });
    await writeDevice(it.sysBlock, 'vdb', disk('one', '1'));
    await until('it was told', () => calls > 0 && it.problems.length > 0);
    await removeDevice(it.sysBlock, 'vdb');
    await until('it goes on', () => calls > 1);
  });

  test('tells nothing once it is closed, and closes twice', async () => {
    await using it = await watched();
    await writeDevice(it.sysBlock, 'vdb', disk('one', '1'));
    await until('it appeared', () => it.told.length > 0);
    await it.watch.close();
    await writeDevice(it.sysBlock, 'vdc', disk('two', '2'));
    it.watch.wake();
    await it.watch.close();
    assert.deepEqual([it.told, it.problems, it.watch.hasWakeup], [['appeared one'], [], false]);
  });
});

describe('changes between two observations', () => {
  const kinds = (...args: Parameters<typeof deviceChanges>) =>
    deviceChanges(...args).map((each) => `${each.kind} ${each.device.name} ${each.device.serial}`);

  test('a reused letter of the same size is another disk, on kernels with and without disk sequences', () => {
    const place = { name: 'vdb', majorMinor: '254:16' };
    const [one, other] = [device({ ...place, serial: 'one' }), device({ ...place, serial: 'two' })];
    assert.deepEqual(kinds([one], [other]), ['vanished vdb one', 'appeared vdb two']);
    const [first, again] = [
      device({ ...place, serial: 'one', diskSequence: '4' }),
      device({ ...place, serial: 'one', diskSequence: '5' }),
    ];
    assert.deepEqual(kinds([first], [again]), ['vanished vdb one', 'appeared vdb one']);
  });

  test('the order of devices is nothing, and two disks in each other’s places are two that went and two that came', () => {
    const b = device({ name: 'vdb', majorMinor: '254:16', serial: 'one' });
    const c = device({ name: 'vdc', majorMinor: '254:32', serial: 'two' });
    assert.deepEqual(kinds([b, c], [c, b]), []);
    assert.deepEqual(
      kinds(
        [b, c],
        [
          { ...b, serial: 'two' },
          { ...c, serial: 'one' },
        ],
      ).length,
      4,
    );
  });

  test('an NBD device that another client serves is another disk', () => {
    const [one, other] = [1, 2].map((pid) => device({ name: 'nbd0', nbd: { pid, exportName: null } }));
    assert.deepEqual(kinds([one!], [other!]), ['vanished nbd0 null', 'appeared nbd0 null']);
  });
});

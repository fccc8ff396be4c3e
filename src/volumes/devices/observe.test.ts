import assert from 'node:assert/strict';
import { renameSync, symlinkSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { temporaryDirectory } from '../../../test/support/temp.ts';
import { observeDevices } from './observe.ts';
import { serialOfPage80 } from './page80.ts';
import { device, writeDevice } from './test-devices.ts';

const signal = () => AbortSignal.timeout(10_000);
const uuid = '65953b61-0af1-42f6-a1b2-000000000001';
const page80 = (serial: string) => Buffer.concat([Buffer.from([0, 0x80, 0, serial.length]), Buffer.from(serial)]);

const isUnavailable = (error: unknown) => error instanceof HoldfastError && error.kind === 'unavailable';

describe('observing block devices', () => {
  test('reads each kind by its own attributes', async () => {
    await using root = await temporaryDirectory();
    await writeDevice(root.path, 'vdb', {
      dev: '254:16\n',
      size: '2097153\n',
      diskseq: '9\n',
      serial: 'abc',
      ro: '1\n',
    });
    await writeDevice(root.path, 'sda', {
      dev: '8:0\n',
      size: '8\n',
      'device/vpd_pg80': page80(uuid),
      'device/wwid': 't10.QEMU  \n',
    });
    await writeDevice(root.path, 'nvme0n1', {
      dev: '259:0\n',
      size: '16\n',
      uuid: `${uuid}\n`,
      nguid: '0\n',
      wwid: `uuid.${uuid}\n`,
      'device/serial': 'S1      \n',
    });
    await writeDevice(root.path, 'dm-0', { dev: '253:0\n', size: '8\n', 'dm/name': 'vol-1\n', 'dm/uuid': '\n' });
    await writeDevice(root.path, 'nbd0', { dev: '43:0\n', size: '8\n', pid: '77\n', backend: 'vol-a.g3\n' });
    await writeDevice(root.path, 'nbd1', { dev: '43:32\n', size: '0\n' });
    await writeDevice(root.path, 'cciss!c0d0', { dev: '104:0\n', size: '8\n' });
    assert.deepEqual(await observeDevices({ sysBlock: root.path }, signal()), [
      device({ name: 'cciss/c0d0', majorMinor: '104:0', sizeBytes: 4_096n }),
      device({ name: 'dm-0', majorMinor: '253:0', sizeBytes: 4_096n, deviceMapper: { name: 'vol-1', uuid: '' } }),
      device({ name: 'nbd0', majorMinor: '43:0', sizeBytes: 4_096n, nbd: { pid: 77, exportName: 'vol-a.g3' } }),
      device({ name: 'nbd1', majorMinor: '43:32', sizeBytes: 0n, nbd: { pid: null, exportName: null } }),
      device({
        name: 'nvme0n1',
        majorMinor: '259:0',
        sizeBytes: 8_192n,
        uuid,
        nguid: '0',
        wwid: `uuid.${uuid}`,
        serial: 'S1',
      }),
      device({ name: 'sda', majorMinor: '8:0', sizeBytes: 4_096n, serial: uuid, wwid: 't10.QEMU' }),
      device({
        name: 'vdb',
        majorMinor: '254:16',
        sizeBytes: 1_073_742_336n,
        diskSequence: '9',
        serial: 'abc',
        isReadOnly: true,
      }),
    ]);
  });

  test('keeps sizes exact beyond 2^53 bytes', async () => {
    await using root = await temporaryDirectory();
    await writeDevice(root.path, 'vdb', { dev: '254:16\n', size: '36028797018963967\n' });
    const [found] = await observeDevices({ sysBlock: root.path }, signal());
    assert.equal(found?.sizeBytes, 36_028_797_018_963_967n * 512n);
  });

  test('leaves out what is hidden or half gone, and is no error for it', async () => {
    await using root = await temporaryDirectory();
    await writeDevice(root.path, 'nvme0c0n1', { dev: '259:1\n', size: '8\n', hidden: '1\n', uuid });
    await mkdir(join(root.path, 'vdc'));
    await writeDevice(root.path, 'vdd', { size: '8\n' });
    await writeDevice(root.path, 'vde', { dev: '254:64\n', size: 'many\n' });
    await writeFile(join(root.path, 'vdf'), '');
    await writeDevice(root.path, 'vdg', { dev: '254:80\n', size: '8\n' });
    const found = await observeDevices({ sysBlock: root.path }, signal());
    assert.deepEqual(
      found.map(({ name }) => name),
      ['vdg'],
    );
  });

  test('holds while devices come and go under it', async () => {
    await using root = await temporaryDirectory();
    await writeDevice(root.path, 'vda', { dev: '254:0\n', size: '8\n', serial: 'stays' });
    const churn = { isOn: true };
    const churning = (async () => {
      while (churn.isOn) {
        await writeDevice(root.path, 'vdb', { dev: '254:16\n', size: '8\n', serial: 'comes' });
        await rm(join(root.path, 'vdb'), { recursive: true });
      }
    })();
    try {
      for (let round = 0; round < 50; round++) {
        const found = await observeDevices({ sysBlock: root.path }, signal());
        assert.ok(found.some(({ serial }) => serial === 'stays'));
      }
    } finally {
      churn.isOn = false;
      await churning;
    }
  });

  test('never joins two disks that follow each other under one name', async () => {
    await using root = await temporaryDirectory();
    const [sysBlock, disks] = [join(root.path, 'block'), join(root.path, 'disks')];
    const count = 200;
    for (const path of [sysBlock, disks]) await mkdir(path);
    for (let at = 1; at <= count; at++) {
      const attributes = { dev: '254:16\n', size: `${at}\n`, diskseq: `${at}\n`, serial: `serial-${at}` };
      await writeDevice(disks, String(at), attributes);
    }
    let current = 0;
    const next = () => {
      current += 1;
      symlinkSync(join(disks, String(current)), join(root.path, 'next'));
      renameSync(join(root.path, 'next'), join(sysBlock, 'vdb'));
    };
    next();
    // A disk a turn of the event loop, so that the name changes hands between the reads of one observation.
    const churn = setInterval(() => (current < count ? next() : clearInterval(churn)), 1);
    for (;;) {
      const wasLast = current === count;
      const found = await observeDevices({ sysBlock }, signal());
      for (const { sizeBytes, diskSequence, serial } of found) {
        assert.deepEqual([sizeBytes / 512n, serial], [BigInt(diskSequence ?? '0'), `serial-${diskSequence}`]);
      }
      if (!wasLast) continue;
      assert.deepEqual(
        found.map(({ serial }) => serial),
        [`serial-${count}`],
      );
      break;
    }
  });

  test('refuses to answer in part: no root, too many devices, no time', async () => {
    await using root = await temporaryDirectory();
    await assert.rejects(observeDevices({ sysBlock: join(root.path, 'none') }, signal()), isUnavailable);
    for (const name of ['vda', 'vdb', 'vdc']) await writeDevice(root.path, name, { dev: '254:0\n', size: '8\n' });
    await assert.rejects(observeDevices({ sysBlock: root.path, devicesMax: 2 }, signal()), isUnavailable);
    await assert.rejects(observeDevices({ sysBlock: root.path }, AbortSignal.abort()), isUnavailable);
    assert.equal((await observeDevices({ sysBlock: root.path, devicesMax: 3 }, signal())).length, 3);
  });
});

test('a SCSI serial page that is cut off or another page gives none', () => {
  assert.equal(serialOfPage80(page80(` ${uuid} `)), uuid);
  assert.equal(serialOfPage80(page80('    ')), null);
  assert.equal(serialOfPage80(page80(uuid).subarray(0, 20)), null);
  assert.equal(serialOfPage80(Buffer.from([0, 0x83, 0, 1, 65])), null);
  assert.equal(serialOfPage80(null), null);
});

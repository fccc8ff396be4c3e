import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { temporaryDirectory } from '../../../test/support/temp.ts';
import { nbdName } from '../exports/nbd/names.ts';
import { correlate } from './correlate.ts';
import { parseNbdExportName } from './nbd-export.ts';
import { observeDevices } from './observe.ts';
import { device, writeDevice } from './test-devices.ts';

const volumeId = 'vol-01930000-0000-7000-8000-00000000000a';
const exportName = `${volumeId}.g3`;
const client = ['nbd-client', '192.0.2.7', '10809', '/dev/nbd0', '-N', exportName, '-nonetlink'];

/** What is observed of a connected nbd0 whose client has that command line. */
async function nameSeen(argv: readonly string[], attributes: Readonly<Record<string, string>> = {}) {
  await using root = await temporaryDirectory();
  const [sysBlock, proc] = [`${root.path}/block`, `${root.path}/proc`];
  for (const path of [sysBlock, proc]) await mkdir(path);
  await writeDevice(proc, '77', { cmdline: `${argv.join('\0')}\0` });
  await writeDevice(sysBlock, 'nbd0', { dev: '43:0\n', size: '8\n', pid: '77\n', ...attributes });
  const found = await observeDevices({ sysBlock, proc }, AbortSignal.timeout(10_000));
  const nbd0 = found.find(({ name }) => name === 'nbd0');
  assert.ok(nbd0?.nbd);
  return nbd0.nbd.exportName;
}

describe('the export of an NBD device', () => {
  test('is in the command line of its client, in each form', async () => {
    assert.equal(await nameSeen(client), exportName);
    for (const form of [['-name', exportName], ['--name', exportName], [`-name=${exportName}`]]) {
      assert.equal(await nameSeen(['/usr/sbin/nbd-client', 'h', '/dev/nbd0', ...form]), exportName);
    }
  });

  test('is in the command line of a qemu-nbd that is a client itself, and in no other', async () => {
    const image = `driver=nbd,host=h,port=1,export=${exportName},reconnect-delay=300`;
    const bridge = ['qemu-nbd', '--fork', '--connect=/dev/nbd0', '--image-opts', image];
    assert.equal(await nameSeen(bridge), exportName);
    for (const argv of [
      ['qemu-nbd', '--fork', '--connect=/dev/nbd1', '--image-opts', image],
      ['qemu-nbd', '--fork', '--connect=/dev/nbd0', image],
      ['qemu-nbd', '--connect=/dev/nbd0', '--image-opts', `driver=raw,${image}`],
      ['qemu-nbd', '--connect=/dev/nbd0', '--image-opts', `${image},export=vol-b.g1`],
      ['qemu-nbd', '--connect=/dev/nbd0', '--image-opts', 'driver=nbd,export='],
    ]) {
      assert.equal(await nameSeen(argv), null, argv.join(' '));
    }
  });

  test('is what the kernel was given, when it was', async () => {
    assert.equal(await nameSeen(['other'], { backend: `${exportName}\n` }), exportName);
  });

  test('is unknown of another program, another device, no name, two names, and a line that is cut off', async () => {
    const argvs = [
      ['not-nbd-client', ...client.slice(1)],
      client.map((each) => each.replace('/dev/nbd0', '/dev/nbd1')),
      client.filter((each) => each !== '-N'),
      [...client, '-name', 'vol-b.g1'],
      client.slice(0, 5),
      [...client, 'x'.repeat(5_000)],
      [],
    ];
    for (const argv of argvs) assert.equal(await nameSeen(argv), null, argv.join(' ').slice(0, 200));
    assert.equal(await nameSeen(client, { pid: '78\n' }), null);
    assert.equal(await nameSeen(client, { pid: '' }), null);
  });

  test('is read as it is written', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/), fc.nat(), (id, generation) => {
        assert.deepEqual(parseNbdExportName(nbdName({ volumeId: id, generation })), { volumeId: id, generation });
      }),
    );
    for (const other of ['', 'vol-a', 'vol-a.g', 'vol-a.gx', '.g1', 'a/b.g1', 'vol-a.g1.g2', 'vol-a.g1 ']) {
      assert.equal(parseNbdExportName(other), null, other);
    }
  });
});

describe('an NBD device is a volume', () => {
  const nbd = (name: string, given: string | null) =>
    device({ name, nbd: { pid: given === null ? null : 7, exportName: given } });
  const known = { volumeId, uuids: [], generation: 3 };

  test('by its export of the current generation', () => {
    const { matches, doubts } = correlate(
      [nbd('nbd0', exportName), nbd('nbd1', 'else.g3'), nbd('nbd2', null)],
      [known],
    );
    assert.deepEqual(
      matches.map((match) => `${match.volumeId} ${match.device.name} ${match.by}`),
      [`${volumeId} nbd0 nbd_export`],
    );
    assert.deepEqual(doubts, []);
  });

  test('not by an earlier one, which does not stand in the way of the current one either', () => {
    const { matches, doubts } = correlate([nbd('nbd0', `${volumeId}.g2`), nbd('nbd1', exportName)], [known]);
    assert.deepEqual(
      matches.map((match) => match.device.name),
      ['nbd1'],
    );
    assert.deepEqual(
      doubts.map(({ reason, devices }) => [reason, devices]),
      [['other_generation', ['nbd0']]],
    );
  });

  test('not when two are connected to it', () => {
    const { matches, doubts } = correlate([nbd('nbd0', exportName), nbd('nbd1', exportName)], [known]);
    assert.deepEqual(matches, []);
    assert.deepEqual(
      doubts.map(({ reason }) => reason),
      ['several_devices'],
    );
  });

  test('and no serial is ever taken for an export', () => {
    for (const serial of [exportName, `NBD export of ${volumeId}`]) {
      assert.deepEqual(correlate([device({ name: 'sda', serial })], [known]).matches, []);
    }
  });
});

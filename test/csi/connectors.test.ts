/**
 * The connectors of nodes on a machine that stands in a folder: `sys` as the kernel writes it, and programs that change it as the
 * real ones do. Real kernels with these drivers are not to be had in every test.
 */
import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Labels } from '../../src/csi/messages.ts';
import { LocalConnector } from '../../src/csi/node/local-connector.ts';
import { NbdConnector } from '../../src/csi/node/nbd-connector.ts';
import { NvmeofConnector } from '../../src/csi/node/nvmeof-connector.ts';
import type { NodeSystem } from '../../src/csi/node/system.ts';
import { hostIdOf, hostNqnOf } from '../../src/csi/nvme-host.ts';
import { HoldfastError } from '../../src/kernel/errors/errors.ts';
import { temporaryDirectory } from '../support/temp.ts';

type Program = (args: readonly string[]) => Promise<{ code: number; stderr?: string }>;

async function machine(program: (root: string) => Program) {
  const { path: root, [Symbol.asyncDispose]: dispose } = await temporaryDirectory();
  const act = program(root);
  const system: NodeSystem = {
    run: async (name, args) => ({ stdout: '', stderr: '', ...(await act([name, ...args])) }),
    mounts: async () => [],
  };
  const put = async (path: string, text: string) => {
    await mkdir(join(root, path, '..'), { recursive: true });
    await writeFile(join(root, path), `${text}\n`);
  };
  await put('proc/sys/kernel/random/boot_id', 'boot-1');
  return { root, system, put, [Symbol.asyncDispose]: dispose };
}

const nbd = { transport: 'nbd', host: '192.0.2.7', port: '10809', name: 'vol-1.g1' };

test('NBD takes the first free device, knows its own connection again, and takes no other for it', async () => {
  let pid = 100;
  await using computer = await machine((root) => async ([name, ...args]) => {
    assert.equal(name, 'nbd-client');
    const isEnd = args[0] === '-d';
    const file = join(root, 'sys/block', (isEnd ? args[1]! : args[2]!).replace('/dev/', ''), 'pid');
    if (isEnd) await rm(file);
    else await writeFile(file, `${pid++}\n`);
    return { code: 0 };
  });
  for (const device of ['nbd0', 'nbd2', 'nbd10']) await computer.put(`sys/block/${device}/size`, '0');
  await computer.put('sys/block/nbd0/pid', '7');
  const connector = new NbdConnector(computer.system, computer.root);
  const noted: Labels[] = [];
  const target = { volumeId: 'vol-1', context: nbd, handle: {} };
  assert.equal(await connector.connect(target, async (handle) => void noted.push(handle)), '/dev/nbd2');
  assert.deepEqual(noted, [{ device: 'nbd2' }, { device: 'nbd2', pid: '100', boot: 'boot-1' }]);
  const held = { ...target, handle: noted[1]! };
  assert.equal(await connector.find(held), '/dev/nbd2');
  // Somebody else's connection on the same letter, and one from before the machine was started anew.
  await computer.put('sys/block/nbd2/pid', '999');
  assert.equal(await connector.find(held), null);
  await connector.disconnect(held);
  await computer.put('sys/block/nbd2/pid', '100');
  await computer.put('proc/sys/kernel/random/boot_id', 'boot-2');
  assert.equal(await connector.find(held), null);
  await computer.put('proc/sys/kernel/random/boot_id', 'boot-1');
  await connector.disconnect(held);
  assert.equal(await connector.find(held), null);
});

test('NBD says what the server said, and what the node lacks', async () => {
  await using computer = await machine(() => async () => ({ code: 1, stderr: 'Error: Connect failed' }));
  const connector = new NbdConnector(computer.system, computer.root);
  const target = { volumeId: 'vol-1', context: nbd, handle: {} };
  await assert.rejects(
    connector.connect(target, async () => undefined),
    /modprobe nbd/,
  );
  await computer.put('sys/block/nbd0/size', '0');
  await assert.rejects(
    connector.connect(target, async () => undefined),
    /Connect failed/,
  );
});

test('NBD asks the device itself whether its connection lives, and an answer that is late is none yet', async () => {
  const answers = { code: 0 };
  await using computer = await machine((root) => async ([name, ...args]) => {
    if (name === 'nbd-client') await writeFile(join(root, 'sys/block/nbd0/pid'), '100\n');
    if (name !== 'dd') return { code: 0 };
    assert.ok(args.includes('if=/dev/nbd0') && args.includes('iflag=direct'), args.join(' '));
    if (answers.code === -1) throw new HoldfastError('unavailable', 'dd did not end.', { timeout_ms: 1 });
    if (answers.code === -2) throw new HoldfastError('unavailable', 'dd is not installed on this node.');
    return answers;
  });
  await computer.put('sys/block/nbd0/size', '0');
  const connector = new NbdConnector(computer.system, computer.root);
  let handle: Labels = {};
  const target = () => ({ volumeId: 'vol-1', context: nbd, handle });
  assert.equal(await connector.link(target()), 'lost');
  await connector.connect(target(), async (noted) => void (handle = noted));
  for (const [code, link] of [
    [0, 'live'],
    [1, 'lost'],
    [-1, 'waiting'],
  ] as const) {
    answers.code = code;
    assert.equal(await connector.link(target()), link);
  }
  answers.code = -2;
  await assert.rejects(connector.link(target()), /dd is not installed/);
});

test('NVMe finds a device by its subsystem’s name, whatever its number, and only while its controller lives', async () => {
  const nqn = 'nqn.2026-01.io.holdfast:exp-1:vol-1:g1';
  const subsystem = 'sys/class/nvme-subsystem/nvme-subsys3';
  await using computer = await machine((root) => async ([name, verb, ...options]) => {
    assert.equal(name, 'nvme');
    if (verb === 'disconnect') await rm(join(root, subsystem), { recursive: true });
    if (verb !== 'connect') return { code: 0 };
    assert.deepEqual(options.slice(-4), ['--hostnqn', hostNqnOf('node-1'), '--hostid', hostIdOf('node-1')]);
    await mkdir(join(root, subsystem, 'nvme5'), { recursive: true });
    await mkdir(join(root, subsystem, 'nvme3n1'));
    await writeFile(join(root, subsystem, 'nvme5/state'), 'live\n');
    await writeFile(join(root, subsystem, 'subsysnqn'), `${nqn}\n`);
    return { code: 0 };
  });
  await computer.put('sys/class/nvme-subsystem/nvme-subsys0/subsysnqn', `${nqn}0`);
  const connector = new NvmeofConnector(computer.system, 'node-1', computer.root);
  const context = { transport: 'nvmeof', host: '192.0.2.7', port: '4420', name: nqn };
  const target = { volumeId: 'vol-1', context, handle: {} };
  assert.equal(await connector.find(target), null);
  assert.equal(await connector.connect(target, async () => undefined), '/dev/nvme3n1');
  assert.equal(await connector.link(target), 'live');
  await computer.put(`${subsystem}/nvme5/state`, 'connecting');
  assert.equal(await connector.find(target), null);
  assert.equal(await connector.link(target), 'waiting');
  for (let times = 0; times < 2; times++) await connector.disconnect(target);
  assert.equal(await connector.find(target), null);
  assert.equal(await connector.link(target), 'lost');
});

test('a disk of the hypervisor is found by its serial, never by its letter', async () => {
  await using computer = await machine(() => async () => ({ code: 0 }));
  await computer.put('sys/block/vda/serial', 'hf000000000000000001');
  await computer.put('sys/block/vdb/serial', 'hf000000000000000002');
  const connector = new LocalConnector(computer.root);
  const at = (serial: string) => connector.find({ volumeId: 'vol-1', context: { serial }, handle: {} });
  assert.equal(await at('hf000000000000000002'), '/dev/vdb');
  assert.equal(await at('hf000000000000000003'), null);
  assert.equal(await at(''), null);
});

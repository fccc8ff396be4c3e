/** Runs inside a guest, as part of `nvmeof.inside.ts`: what is special about NVMe exports. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, readdir, rename, symlink, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { describe, it } from 'node:test';
import { at, isKind, newSpec } from '../../src/volumes/exports/conformance/suite.ts';
import { carryOut } from '../../src/volumes/exports/nvmeof/configfs.ts';
import { readTarget } from '../../src/volumes/exports/nvmeof/live-target.ts';
import { createNvmeofTarget } from '../../src/volumes/exports/nvmeof/nvmeof.ts';
import { buildSteps, teardownSteps } from '../../src/volumes/exports/nvmeof/plan.ts';
import { namespaceUuid, nqnOf } from '../../src/volumes/exports/nvmeof/subsystem.ts';
import { volumeSerial } from '../../src/volumes/devices/volume-serial.ts';
import { readBacking } from '../../src/volumes/exports/nvmeof/backing.ts';
import { holdDevice, readServed } from '../../src/volumes/exports/nvmeof/source-device.ts';
import type { ExportSource, ExportSpec } from '../../src/volumes/exports/target.ts';
import { until } from '../support/wait.ts';
import { NvmeDisk, hostNqn, otherHostNqn } from './nvme-host.ts';

const MIB = 1024n * 1024n;
const root = '/sys/kernel/config/nvmet';
const ports = { first: 4_500, last: 4_509 };
const target = createNvmeofTarget({ ports });

type NewFile = (sizeBytes: bigint) => Promise<ExportSource & { kind: 'file' }>;
type Lab = ReturnType<typeof labOf>;

/** What the stories do with files and exports. */
function labOf(newFile: NewFile) {
  const wish = async (overrides: Partial<ExportSpec> = {}): Promise<ExportSpec & { source: { kind: 'file' } }> => {
    const source = await newFile(4n * MIB);
    return { ...newSpec(source, { allowedHosts: [hostNqn], ...overrides }), source };
  };
  return {
    newFile,
    wish,
    remove: (exportId: string, force = false) => target.remove(at(), exportId, { force }),
    live: () => readTarget(root, at().signal),
    find: async (exportId: string) => (await target.list(at())).find((each) => each.exportId === exportId),
  };
}

export function nvmeofStories(newFile: NewFile): void {
  const lab = labOf(newFile);
  describe('NVMe exports', () => {
    hostStories(lab);
    sourceStories(lab);
    crashStories(lab);
    machineStories(lab);
  });
}

/** Who is let in, and what they see. */
function hostStories({ wish, remove }: Lab): void {
  it('let in who is listed, and nobody else', async () => {
    const spec = await wish();
    const made = await target.add(at(), spec);
    await assert.rejects(NvmeDisk.connect(made, otherHostNqn));
    const disk = await NvmeDisk.connect(made);
    assert.equal(await disk.sizeBytes(), 4n * MIB);
    await disk.disconnect();
    await remove(spec.exportId);
  });

  it('show a connected host the new size, also when the file has grown already', async () => {
    const spec = await wish();
    const disk = await NvmeDisk.connect(await target.add(at(), spec));
    try {
      await target.resize(at(), spec.exportId, 8n * MIB);
      await until('8 MiB at the host', async () => (await disk.sizeBytes()) === 8n * MIB);
      await disk.write(0x5a, Number(7n * MIB));
      assert.equal(await disk.reads(0x5a, Number(7n * MIB)), true);
    } finally {
      await disk.disconnect();
    }
    await remove(spec.exportId);
  });
}

/** The loop devices that have a file. */
async function boundLoops(): Promise<string[]> {
  const names = (await readdir('/sys/block')).filter((name) => name.startsWith('loop'));
  return names.filter((name) => existsSync(`/sys/block/${name}/loop/backing_file`));
}

/** What is served is what was asked for. */
function sourceStories({ newFile, wish, remove, find }: Lab): void {
  it('serve a file in sectors of 512 bytes, as over NBD, and give its loop device back with the export', async () => {
    const spec = await wish();
    const disk = await NvmeDisk.connect(await target.add(at(), spec));
    const queue = `/sys/block/${disk.path.replace('/dev/', '')}/queue`;
    assert.equal((await readFile(`${queue}/logical_block_size`, 'utf8')).trim(), '512');
    assert.equal((await boundLoops()).length, 1);
    const otherPath = `${spec.source.path}.link`;
    await symlink(spec.source.path, otherPath);
    await target.add(at(), { ...spec, source: { kind: 'file', path: otherPath } });
    assert.equal((await boundLoops()).length, 1, 'it is the same file by another path');
    await disk.disconnect();
    await remove(spec.exportId);
    assert.deepEqual(await boundLoops(), []);
  });

  it('leave no loop device behind when they were cut off before they had a namespace', async () => {
    const { exportId, source } = await wish();
    const device = await holdDevice(exportId, source, at().signal);
    assert.deepEqual(await boundLoops(), [device.path.replace('/dev/', '')]);
    assert.deepEqual((await readServed(device.path, device.identity, at().signal)).source, source);
    // All that a killed process does here: its end of the pipe is closed.
    await device[Symbol.asyncDispose]();
    assert.deepEqual(await boundLoops(), []);
  });

  it('never serve a file that was replaced as if it were the one at the path', async () => {
    const spec = await wish();
    await target.add(at(), spec);
    const other = await newFile(4n * MIB);
    await rename(other.path, (spec.source as typeof other).path);
    assert.equal((await find(spec.exportId))?.isStale, true);
    await assert.rejects(target.add(at(), spec), isKind('conflict', { reason: 'stale_image' }));
    await assert.rejects(target.resize(at(), spec.exportId, 8n * MIB), isKind('conflict'));
    await remove(spec.exportId);
    assert.equal((await target.add(at(), spec)).isStale, false);
    await remove(spec.exportId);
  });

  it('never take the same name with other content for theirs', async () => {
    const spec = await wish();
    await target.add(at(), spec);
    const folder = `${root}/subsystems/${nqnOf(spec)}`;
    await writeFile(`${folder}/namespaces/1/enable`, '0');
    assert.equal((await find(spec.exportId))?.isClosing, true);
    await writeFile(`${folder}/namespaces/1/device_path`, (await newFile(4n * MIB)).path);
    await writeFile(`${folder}/namespaces/1/enable`, '1');
    const refused = isKind('conflict', { reason: 'other_export', differs: ['source'] });
    await assert.rejects(target.add(at(), spec), refused);
    await remove(spec.exportId);
    assert.equal(await find(spec.exportId), undefined);
  });
}

/** What is left when it was cut off. */
function crashStories({ wish, remove, live, find }: Lab): void {
  it('are whole or nothing after a crash, once the call is repeated', async () => {
    const spec = await wish();
    const { exportId, volumeId, generation } = spec;
    const devicePath = (spec.source as ExportSource & { kind: 'file' }).path;
    const nguid = (await readBacking(devicePath))?.identity ?? '';
    const serial = volumeSerial(volumeId);
    const address = { family: 'ipv4', address: '127.0.0.1', service: ports.first } as const;
    const ids = { exportId, volumeId, generation, serial, uuid: namespaceUuid(volumeId), nguid, devicePath };
    const wanted = { ...ids, hosts: [{ nqn: hostNqn, auth: null }], address };
    const up = buildSteps(wanted, { ...(await live()), hosts: [], ports: [] });
    // Every step is tried in `plan.test.ts`, without a kernel.
    for (let built = up.length; built > 0; built -= 3) {
      await carryOut(root, up.slice(0, built), at().signal);
      assert.equal((await find(exportId)) !== undefined, built === up.length, `${built} steps`);
      await target.add(at(), spec);
      const down = teardownSteps(nqnOf(spec), await live());
      await carryOut(root, down.slice(0, built % down.length), at().signal);
      await remove(exportId);
      const left = await live();
      assert.deepEqual([left.subsystems, left.ports], [[], []], `${built} steps`);
      // One that was cut off from its subsystem lets nobody in; this is the plan of one that starts from nothing.
      if (left.hosts.includes(hostNqn)) await carryOut(root, [{ do: 'rmdir', path: `hosts/${hostNqn}` }], at().signal);
    }
  });
}

/** What the machine has and lacks. */
function machineStories({ wish, remove, live }: Lab): void {
  it('listen elsewhere when somebody else has the port', async () => {
    const server = createServer().listen(ports.first, '127.0.0.1');
    await until('the other listener', () => (server.address() as AddressInfo | null) !== null);
    const spec = await wish();
    try {
      assert.equal((await target.add(at(), spec)).connection.port, ports.first + 1);
    } finally {
      server.close();
    }
    await remove(spec.exportId);
    assert.deepEqual(await readdir(`${root}/ports`), []);
  });

  it('serve a block device as well, which has the size that it has', async () => {
    const serials = await readdir('/sys/block');
    const isPlain = async (name: string) =>
      (await readFile(`/sys/block/${name}/serial`, 'utf8').catch(() => '')) === 'plain';
    const names = (await Promise.all(serials.map(async (name) => ((await isPlain(name)) ? name : '')))).join('');
    const source = { kind: 'file', path: `/dev/${names}` } as const;
    const spec = { ...(await wish()), source };
    const made = await target.add(at(), spec);
    assert.equal(made.sizeBytes, 16n * MIB);
    const disk = await NvmeDisk.connect(made);
    await disk.write(0x77, 0);
    assert.equal(await disk.reads(0x77, 0), true);
    await disk.disconnect();
    await assert.rejects(target.resize(at(), spec.exportId, 32n * MIB), isKind('unsupported'));
    await remove(spec.exportId);
  });

  it('refuse keys of hosts where the kernel has no authentication, and leave nothing behind', async () => {
    const dhchap = { key: `DHHC-1:00:${Buffer.alloc(36, 7).toString('base64')}:` };
    const spec = await wish({ dhchap });
    await assert.rejects(target.add(at(), spec), isKind('unsupported'));
    assert.deepEqual((await live()).subsystems, []);
  });
}

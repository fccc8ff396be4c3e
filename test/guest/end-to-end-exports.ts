/** Volumes over NVMe/TCP and NBD, used side by side while the server is killed; runs inside a guest. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { before, describe, it } from 'node:test';
import { until } from '../support/wait.ts';
import { attempt, filesystemBytes, nvmeOf, run, seesSize, waitMs } from './machine.ts';
import { hostNqn } from './nvme-host.ts';
import { type Connection, type Server, commandOf } from './server.ts';

const MIB = 1024 * 1024;
const nbdDevice = '/dev/nbd0';
const numbers = (last: number) => Array.from({ length: last }, (_none, index) => `${index + 1}\n`).join('');
const overNvme = (node: string) => ({ node_id: node, transport: 'nvmeof' as const, allowed_hosts: [hostNqn] });
/** Writes a file through to the volume. */
const write = (path: string, last: number) => attempt(`seq 1 ${last} >${path} && sync ${path}`);

/** What one story leaves to the next. */
interface Use {
  nvme: Connection;
  nbd: Connection;
  disk: string;
}

export function exportStories(server: Server): void {
  describe('exports', () => {
    const none: Connection = { uri: '', host: '', port: 0, name: '', commands: [] };
    const use: Use = { nvme: none, nbd: none, disk: '' };
    before(async () => {
      // As its administrator would: by this name the machine is allowed.
      await run(`mkdir -p /etc/nvme && echo ${hostNqn} >/etc/nvme/hostnqn`);
      await run(`echo ${hostNqn.slice(-36)} >/etc/nvme/hostid && mkdir -p /mnt/nvme /mnt/nbd`);
      await server.create('over-nvme', 64 * MIB);
      await server.create('over-nbd', 64 * MIB);
    });
    mountedStories(server, use);
    restartStories(server, use);
    endStories(server, use);
  });
}

function mountedStories(server: Server, use: Use): void {
  it('are mounted by the ready-made commands, over both transports', async () => {
    use.nvme = await server.attach('over-nvme', overNvme('guest'));
    use.nbd = await server.attach('over-nbd', { node_id: 'guest', transport: 'nbd' });
    await run(commandOf(use.nvme, 'attach'));
    await run(commandOf(use.nbd, 'attach'));
    use.disk = (await until('the NVMe disk', () => nvmeOf(use.nvme.name), waitMs)).disk;
    await seesSize(nbdDevice, 64 * MIB);
    for (const [device, path] of [
      [use.disk, '/mnt/nvme'],
      [nbdDevice, '/mnt/nbd'],
    ]) {
      // Sectors have 512 bytes over NBD and 4096 over NVMe; blocks of this size are read over both.
      await run(
        `mkfs.ext4 -q -b 4096 ${device} && mount ${device} ${path} && seq 1 1000 >${path}/before && sync -f ${path}`,
      );
    }
  });

  it('grow while they are mounted over NVMe, and refuse to over NBD, whose clients would not see it', async () => {
    const bytesBefore = await filesystemBytes('/mnt/nvme');
    await server.resize('over-nvme', 128 * MIB);
    await seesSize(use.disk, 128 * MIB);
    await run(`resize2fs ${use.disk}`);
    assert.ok((await filesystemBytes('/mnt/nvme')) > 1.8 * bytesBefore);
    await assert.rejects(server.resize('over-nbd', 128 * MIB), /"reason":"in_use"/);
    await seesSize(nbdDevice, 64 * MIB);
  });

  it('are not detached while a client is connected', async () => {
    for (const volume of ['over-nvme', 'over-nbd']) {
      const { status, error } = await server.detach(volume);
      assert.deepEqual([status, error?.code, error?.details?.['reason']], ['failed', 'CONFLICT', 'in_use']);
      assert.equal(await server.state(volume), 'attached');
      assert.equal((await server.exportOf(volume))?.state, 'active');
    }
    assert.equal((await write('/mnt/nvme/refused', 10)).status, 0);
    assert.equal((await write('/mnt/nbd/refused', 10)).status, 0);
  });
}

function restartStories(server: Server, use: Use): void {
  it('over NVMe go on while the server is dead, and are found as they were', async () => {
    const controller = await connectionOf(use.nvme);
    await server.kill();
    assert.equal((await write('/mnt/nvme/without', 1000)).status, 0);
    // The daemon that serves NBD goes with its server.
    assert.notEqual((await write('/mnt/nbd/without', 1000)).status, 0);
    await server.start();
    await server.compareExports();
    assert.equal((await server.exportOf('over-nvme'))?.state, 'active');
    assert.deepEqual((await server.exportOf('over-nvme'))?.connection, use.nvme);
    const told = await server.exportEvents('over-nvme');
    assert.deepEqual(
      told.filter((type) => /lost|repair|removed/.test(type)),
      [],
    );
    assert.equal(await connectionOf(use.nvme), controller);
    assert.equal((await write('/mnt/nvme/after', 1000)).status, 0);
    for (const file of ['before', 'without', 'after'])
      assert.equal(await readFile(`/mnt/nvme/${file}`, 'utf8'), numbers(1000));
  });

  it('over NBD are made again, and have the bytes for clients that connect anew', async () => {
    await until('the NBD export', async () => (await server.exportOf('over-nbd'))?.state === 'active', waitMs);
    assert.ok((await server.exportEvents('over-nbd')).includes('volume.export_lost'));
    const { connection } = (await server.exportOf('over-nbd'))!;
    use.nbd = connection!;
    await run('umount -l /mnt/nbd');
    await attempt(commandOf(use.nbd, 'detach'));
    await until('the device is free', async () => (await attempt(`nbd-client -c ${nbdDevice}`)).status !== 0, waitMs);
    await run(commandOf(use.nbd, 'attach'));
    await seesSize(nbdDevice, 64 * MIB);
    await run(`mount ${nbdDevice} /mnt/nbd`);
    assert.equal(await readFile('/mnt/nbd/before', 'utf8'), numbers(1000));
    assert.equal((await write('/mnt/nbd/after', 1000)).status, 0);
  });
}

function endStories(server: Server, use: Use): void {
  it('end with the attachment, and a later one has the bytes at another address', async () => {
    await run(`umount /mnt/nvme && ${commandOf(use.nvme, 'detach')}`);
    assert.equal((await server.detach('over-nvme')).status, 'completed');
    assert.equal(await server.exportOf('over-nvme'), undefined);
    assert.notEqual((await attempt(commandOf(use.nvme, 'attach'))).status, 0, 'the old address is gone');
    const again = await server.attach('over-nvme', overNvme('guest'));
    assert.notEqual(again.name, use.nvme.name);
    await mountOverNvme(again, '/mnt/nvme');
    assert.equal(await readFile('/mnt/nvme/without', 'utf8'), numbers(1000));
    await run(`umount /mnt/nvme && ${commandOf(again, 'detach')}`);
    assert.equal((await server.detach('over-nvme')).status, 'completed');
  });

  it('are cut by a forced detach: the next write fails, and the bytes are free to be used elsewhere', async () => {
    assert.equal((await server.detach('over-nbd', true)).status, 'completed');
    assert.equal(await server.state('over-nbd'), 'available');
    assert.notEqual((await write('/mnt/nbd/too-late', 10)).status, 0);
    const moved = await server.attach('over-nbd', overNvme('elsewhere'));
    await mountOverNvme(moved, '/mnt/nvme');
    for (const file of ['before', 'after']) assert.equal(await readFile(`/mnt/nvme/${file}`, 'utf8'), numbers(1000));
    assert.notEqual((await attempt('test -s /mnt/nvme/too-late')).status, 0);
    await run(`umount /mnt/nvme && ${commandOf(moved, 'detach')}`);
    assert.equal((await server.detach('over-nbd')).status, 'completed');
    await run(`umount /mnt/nbd && ${commandOf(use.nbd, 'detach')}`);
  });
}

async function mountOverNvme(connection: Connection, path: string): Promise<void> {
  await run(commandOf(connection, 'attach'));
  const { disk } = await until(`the disk of ${connection.name}`, () => nvmeOf(connection.name), waitMs);
  await run(`mount ${disk} ${path}`);
}

/** The controller of a connection, and how often it had to connect: the kernel numbers each anew. */
async function connectionOf({ name }: Connection): Promise<string> {
  const found = await nvmeOf(name);
  assert.ok(found !== null, name);
  const folder = `/sys/class/nvme/${found.controller}`;
  const [state, id] = [await readFile(`${folder}/state`, 'utf8'), await readFile(`${folder}/cntlid`, 'utf8')];
  return `${found.controller} ${state.trim()} ${id.trim()}`;
}

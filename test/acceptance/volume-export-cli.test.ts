import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CommandLine } from '../support/command-line.ts';
import { qemuMissing } from '../support/qemu.ts';
import { testFlags } from '../support/server.ts';
import { type ServeProcess, serveProcess } from '../support/serve-process.ts';
import { requireReal } from '../support/stores.ts';
import { temporaryDirectory } from '../support/temp.ts';

const missing = qemuMissing();

interface Connection {
  readonly uri: string;
  readonly commands: readonly { readonly purpose: string; readonly command: string }[];
}

describe('hosts and exports on the command line', { skip: missing !== null && !requireReal ? missing : false }, () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  let server: ServeProcess;
  let cli: CommandLine;

  before(async () => {
    directory = await temporaryDirectory();
    cli = new CommandLine(directory.path, () => server.url);
    const flags = { 'storage-backend': 'file', 'node-id': 'store-1', 'export-port-first': '23600' };
    server = await serveProcess({ ...testFlags(join(directory.path, 'data')), ...flags });
    await cli.ok('volume', 'create', 'db-1', '--size', '8MiB', '--wait');
  });
  after(async () => {
    await server.stop();
    await directory[Symbol.asyncDispose]();
  });

  /** The commands that were printed, by what they are for. */
  function printed(text: string): Map<string, string> {
    const lines = [...text.matchAll(/^ {2}(\S.*?) {2,}(\S.*)$/gm)];
    return new Map(lines.map(([, purpose, command]) => [purpose!, command!]));
  }

  async function shell(command: string): Promise<string> {
    const { code, stdout, stderr } = await cli.shell(command);
    assert.equal(code, 0, `${command}: ${stderr}`);
    return stdout.toString();
  }

  it('lists the machines with an agent, and shows one', async () => {
    assert.match(await cli.ok('host', 'list'), /^store-1 +alive +127\.0\.0\.1 +nbd +\S+Z +\S+ +host-\S+$/m);
    const shown = await cli.ok('host', 'show', 'store-1');
    assert.match(shown, /^state +alive$/m);
    assert.match(shown, /^exports over +nbd$/m);
    const host = JSON.parse(await cli.ok('host', 'show', 'store-1', '--json')) as Record<string, unknown>;
    assert.deepEqual([host['name'], host['state']], ['store-1', 'alive']);
    const list = JSON.parse(await cli.ok('host', 'list', '--json')) as { items: unknown[] };
    assert.equal(list.items.length, 1);
    await cli.fails(4, /no host other/, 'host', 'show', 'other');
  });

  it('attaches a volume and prints commands that work as they are', async () => {
    const where = ['--node', 'node-1', '--transport', 'nbd', '--export-host', 'store-1', '--wait'];
    const attached = await cli.ok('volume', 'attach', 'db-1', ...where);
    assert.match(attached, /^volume\.attach completed .*\nnbd:\/\/127\.0\.0\.1:\d+\/vol-\S+\.g1$/m);
    const commands = printed(attached);
    const purposes = ['inspect', 'copy out', 'mount as a file', 'attach', 'attach over restarts', 'detach'];
    assert.deepEqual([...commands.keys()], purposes);
    assert.match(await shell(commands.get('inspect')!), /export-size: 8388608/);
    await shell(commands.get('copy out')!);
    assert.match(await cli.ok('volume', 'exports', 'db-1'), /^nbd +store-1 +active +rw +no +exp-\S+$/m);
    assert.deepEqual(printed(await cli.ok('volume', 'exports', 'db-1')), commands);
    await cli.fails(4, /need no key/, 'volume', 'export-key', 'db-1');
    await cli.fails(5, /exported already/, 'volume', 'export', 'db-1', '--transport', 'nbd');
    assert.match(await cli.ok('volume', 'unexport', 'db-1', '--wait'), /^volume\.unexport completed/);
    await cli.fails(4, /has no export/, 'volume', 'unexport', 'db-1');
  });

  it('exports with a key, which stands in a file that nobody else can read', async () => {
    const made = await cli.ok('volume', 'export', 'db-1', '--transport', 'nbd', '--tls', '--wait', '--json');
    const [one] = (JSON.parse(made) as { output: { exports: { id: string; connection: Connection }[] } }).output
      .exports;
    assert.ok(one!.connection.uri.startsWith(`nbds://${one!.id}@127.0.0.1:`));
    const commands = printed(await cli.ok('volume', 'exports', 'db-1'));
    const refused = await cli.shell(commands.get('inspect')!);
    assert.notEqual(refused.code, 0, 'there is no key yet');
    assert.equal(commands.get('get the key'), 'holdfast volume export-key db-1 --output keys.psk');
    await shell(commands.get('get the key')!);
    const path = join(directory.path, 'keys.psk');
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    const line = await readFile(path, 'utf8');
    assert.match(line, new RegExp(`^${one!.id}:[0-9a-f]{64}\\n$`));
    assert.match(await shell(commands.get('inspect')!), /export-size: 8388608/);
    assert.equal(await cli.ok('volume', 'export-key', 'db-1', one!.id), line);
    // The same options, where there is no disk of the kernel to connect.
    const bridge = commands.get('attach over restarts')!.replace(/^.*--connect=\S+/, 'qemu-img info');
    assert.match(await shell(bridge), /virtual size: 8 MiB/);
    await writeFile(path, 'somebody else’s\n');
    await cli.fails(1, /keys\.psk cannot be written/, 'volume', 'export-key', 'db-1', '--output', 'keys.psk');
    assert.equal(await readFile(path, 'utf8'), 'somebody else’s\n');
    await cli.ok('volume', 'unexport', 'db-1', one!.id, '--force', '--wait');
    await cli.ok('volume', 'detach', 'db-1', '--wait');
  });

  it('refuses what cannot be meant before it asks the server', async () => {
    for (const [sentence, ...args] of [
      [/--node, or --vm/, 'attach', 'db-1'],
      [/--node, or --vm/, 'attach', 'db-1', 'node-1', '--node', 'node-2'],
      [/--node, or --vm/, 'attach', 'db-1', '--node', 'node-1', '--vm', 'vm-1'],
      [/different things/, 'attach', 'db-1', 'node-1', '--read-only', '--mode', 'rw'],
      [/Name the --transport/, 'export', 'db-1'],
      [/Allowed choices are nbd, nvmeof/, 'export', 'db-1', '--transport', 'iscsi'],
      [/name a transport/, 'attach', 'db-1', 'node-1', '--tls'],
    ] as const) {
      await cli.fails(2, sentence, 'volume', ...args);
    }
    await cli.ok('volume', 'attach', 'db-1', '--vm', 'vm-1', '--mode', 'ro', '--wait');
    const shown = JSON.parse(await cli.ok('volume', 'show', 'db-1', '--json')) as {
      attachments: { vm_id: string; mode: string }[];
    };
    assert.deepEqual(
      shown.attachments.map(({ vm_id, mode }) => [vm_id, mode]),
      [['vm-1', 'ro']],
    );
    await cli.ok('volume', 'detach', 'db-1', '--wait');
  });

  it('is completed by shells', async () => {
    const script = await cli.ok('completion', 'bash');
    for (const words of [
      /"host"\) words="list show"/,
      /"volume attach"\) words="[^"]*--transport --tls --chap --allow-host --export-host"/,
      /"volume unexport"\)/,
      /"volume export-key"\) words="--output"/,
      /"agent"\) words="--node-id --export-address --export-advertise --export-port-first --device-poll-interval/,
    ]) {
      assert.match(script, words);
    }
  });
});

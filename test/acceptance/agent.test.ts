import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { ApiError, Client } from '../../src/client.ts';
import { contract } from '../../src/contract.ts';
import { type AgentProcess, agentProcess } from '../support/agent-process.ts';
import { CommandLine } from '../support/command-line.ts';
import { freePort } from '../support/free-port.ts';
import { holdOpen, qemuIo, qemuMissing } from '../support/qemu.ts';
import { type OperationReply, clientHelpers, testFlags } from '../support/server.ts';
import { type ServeProcess, serveProcess } from '../support/serve-process.ts';
import { requireReal } from '../support/stores.ts';
import { temporaryDirectory } from '../support/temp.ts';
import { until } from '../support/wait.ts';

const node = 'store-1';
const missing = qemuMissing();
const needsQemu = missing === null || requireReal ? {} : { skip: missing };

/** The state of the host, or what it is called when it is not there. */
async function hostState(client: Client): Promise<string> {
  const { items } = await client.call(contract.listHosts);
  return items.find(({ name }) => name === node)?.state ?? 'unknown';
}

describe('an agent beside its server', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  let port: number;
  let server: ServeProcess;
  const agents: AgentProcess[] = [];

  before(async () => {
    directory = await temporaryDirectory();
    port = await freePort();
    server = await start();
  });
  afterEach(async () => {
    await Promise.all(agents.splice(0).map((each) => each.stop()));
  });
  after(async () => {
    await server.stop();
    await directory[Symbol.asyncDispose]();
  });

  function start(): Promise<ServeProcess> {
    const own = { agent: 'off', 'node-id': node, 'host-dead-after': '12s', 'storage-backend': 'file' };
    return serveProcess({ ...testFlags(join(directory.path, 'data')), ...own, port: String(port) });
  }

  function spawnAgent(env: Readonly<Record<string, string>> = {}): AgentProcess {
    const flags = { url: server.url, 'node-id': node, 'export-port-first': '23400', 'device-poll-interval': '1s' };
    const started = agentProcess(flags, env);
    agents.push(started);
    return started;
  }

  async function newVolume(name: string): Promise<void> {
    const { operation_id } = await server.client.call(contract.createVolume, { body: { name, size: '8MiB' } });
    assert.equal((await clientHelpers(server.client).ended(operation_id)).status, 'completed');
  }

  async function attach(name: string): Promise<string> {
    const body = { node_id: 'node-1', transport: 'nbd' as const };
    return (await server.client.call(contract.attachVolume, { params: { volume: name }, body })).operation_id;
  }

  async function completed(operationId: string): Promise<OperationReply> {
    const operation = await clientHelpers(server.client).ended(operationId);
    assert.equal(operation.status, 'completed', JSON.stringify(operation.error));
    return operation;
  }

  async function detach(name: string): Promise<void> {
    const params = { volume: name };
    await completed((await server.client.call(contract.detachVolume, { params, body: {} })).operation_id);
  }

  it('is a host while it runs, and says when it leaves', async () => {
    const one = spawnAgent();
    await one.ready();
    const host = await server.client.call(contract.getHost, { params: { host: node } });
    assert.deepEqual([host.state, host.address], ['alive', '127.0.0.1']);
    assert.equal('transports' in host.capabilities, true);
    // As "timeout" and its like send it: to the process, and again to its group.
    const stopped = one.stop();
    await until('it is stopping', () => one.output().includes('"stopping"') || !isRunning(one.pid));
    void one.stop();
    assert.equal(await stopped, 0, one.output());
    assert.equal(await hostState(server.client), 'left');
    assert.match(one.output(), /"stopped"/);
  });

  it('waits while another agent of its name is heard, and takes its place when that one leaves', async () => {
    const [first, second] = [spawnAgent(), spawnAgent()];
    const [speaker, waiting] = await until('one of them speaks', () => {
      if (first.output().includes('is ready')) return [first, second] as const;
      return second.output().includes('is ready') ? ([second, first] as const) : null;
    });
    await until('the other one is refused', () => waiting.output().includes('has an agent already'));
    assert.doesNotMatch(waiting.output(), /is ready/);
    const { epoch } = await server.client.call(contract.getHost, { params: { host: node } });
    assert.equal(await speaker.stop(), 0);
    await waiting.ready();
    assert.equal((await server.client.call(contract.getHost, { params: { host: node } })).epoch, epoch + 1);
    assert.equal(waiting.output().split('trying again').length, 2, 'it said so once');
  });

  it('serves a volume, through which bytes come and go', needsQemu, async () => {
    await spawnAgent().ready();
    await newVolume('served');
    const uri = uriOf(await completed(await attach('served')));
    await qemuIo(uri, 'write -P 0x5a 0 64k');
    await qemuIo(uri, 'read -P 0x5a 0 64k');
    await detach('served');
    await assert.rejects(qemuIo(uri, 'read 0 512'));
  });

  it('that is killed in the middle of work leaves it to the next one', needsQemu, async () => {
    await newVolume('interrupted');
    const stuck = await stuckDaemon(directory.path);
    const first = spawnAgent({ PATH: `${stuck.folder}:${process.env['PATH'] ?? ''}` });
    await first.ready();
    const operationId = await attach('interrupted');
    await until('the work is begun', () => stuck.pid());
    await first.kill();
    const second = spawnAgent();
    const uri = uriOf(await completed(operationId));
    await second.ready();
    await qemuIo(uri, 'read -P 0 0 64k');
    const operation = await server.client.call(contract.getOperation, { params: { id: operationId } });
    assert.deepEqual(
      operation.steps?.map(({ name, attempts }) => [name, attempts]),
      [
        ['attach image', 1],
        ['add export', 1],
      ],
    );
    await detach('interrupted');
  });

  it('that is killed takes its exports with it, and the next one makes them again', needsQemu, async () => {
    const first = spawnAgent();
    await first.ready();
    await newVolume('again');
    const before = uriOf(await completed(await attach('again')));
    await qemuIo(before, 'write -P 0x77 0 64k');
    await first.kill();
    await spawnAgent().ready();
    const uri = await until('the export stands again', async () => {
      const { items } = await server.client.call(contract.listExports, { params: { volume: 'again' } });
      const { items: done } = await server.client.call(contract.listOperations, { query: { limit: 100 } });
      const isRepaired = done.some(({ type, status }) => type === 'volume.export_repair' && status === 'completed');
      return isRepaired && items[0]?.state === 'active' ? items[0].connection!.uri : null;
    });
    assert.equal(uri, before, 'clients find it where it was');
    await qemuIo(uri, 'read -P 0x77 0 64k');
    await detach('again');
  });

  it('goes on over a restart of the server, and so do the clients of its exports', needsQemu, async () => {
    const one = spawnAgent();
    await one.ready();
    await newVolume('steady');
    const held = await holdOpen(uriOf(await completed(await attach('steady'))));
    const { epoch } = await server.client.call(contract.getHost, { params: { host: node } });
    await server.kill();
    assert.match(await held.command('write -P 0x11 0 64k'), /wrote 65536/);
    await until('it has missed its server', () => one.output().includes('trying again'));
    server = await start();
    await until('all is well again', () => one.output().includes('all is well again'));
    assert.equal(one.output().split('trying again').length, 2, 'it said so once');
    const host = await server.client.call(contract.getHost, { params: { host: node } });
    assert.deepEqual([host.state, host.epoch], ['alive', epoch]);
    assert.match(await held.command('read -P 0x11 0 64k'), /read 65536/);
    await held.disconnect();
    await detach('steady');
  });

  it('waits for a server that is not there yet, and stops at once when it is asked to', async () => {
    const early = agentProcess({ url: `http://127.0.0.1:${await freePort()}`, 'node-id': node });
    agents.push(early);
    await until('it says what it waits for', () => early.output().includes('There is no answer from'));
    assert.equal(await early.stop(), 0);
  });
});

describe('the token of an agent', () => {
  it('is an operator’s: a viewer’s is refused, and the agent says why and ends', async () => {
    await using directory = await temporaryDirectory();
    const data = join(directory.path, 'data');
    const server = await serveProcess({ ...testFlags(data), agent: 'off' });
    const cli = new CommandLine(directory.path, () => server.url);
    const token = async (role: string): Promise<string> => {
      const made = await cli.ok('token', 'create', role, '--role', role, '--data-dir', data, '--json');
      return (JSON.parse(made) as { token: string }).token;
    };
    try {
      const [viewer, operator] = [await token('viewer'), await token('operator')];
      const client = new Client({ url: server.url, token: viewer });
      const body = { name: node, instance: 'one', address: '127.0.0.1', version: '', capabilities: {} };
      await until('tokens count', () => refusedWith(new Client({ url: server.url }).call(contract.listHosts), 401));
      const params = { host: node };
      const calls = [
        client.call(contract.registerHost, { body }),
        client.call(contract.takeHostWork, { params, body: { session: 's', known: [] } }),
        client.call(contract.reportHost, { params, body: { session: 's', results: [], reports: [] } }),
        client.call(contract.releaseHost, { params, body: { session: 's' } }),
      ];
      assert.deepEqual(await Promise.all(calls.map((call) => refusedWith(call, 403))), [true, true, true, true]);
      await cli.fails(1, /operator/, 'agent', '--node-id', node, '--token', viewer);
      await cli.fails(1, /HOLDFAST_TOKEN/, 'agent', '--node-id', node);
      const own = agentProcess({ url: server.url, 'node-id': node }, { HOLDFAST_TOKEN: operator });
      await own.ready();
      assert.equal(await hostState(client), 'alive');
      assert.equal(await own.stop(), 0);
    } finally {
      await server.stop();
    }
  });
});

async function refusedWith(call: Promise<unknown>, status: number): Promise<boolean> {
  return call.then(
    () => false,
    (error: unknown) => error instanceof ApiError && error.status === status,
  );
}

function uriOf({ output }: OperationReply): string {
  return (output as { exports: { connection: { uri: string } }[] }).exports[0]!.connection.uri;
}

/** A program in place of the one that exports, which begins and gets nowhere; its agent's end is its end. */
async function stuckDaemon(directory: string) {
  const folder = join(directory, 'stuck');
  await mkdir(folder);
  const begun = join(folder, 'begun');
  const script = `#!/bin/sh\necho $$ > '${begun}'\nexec sleep 60\n`;
  await writeFile(join(folder, 'qemu-storage-daemon'), script, { mode: 0o755 });
  const pid = () => readFile(begun, 'utf8').then(Number, () => null);
  return { folder, pid };
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

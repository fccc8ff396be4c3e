import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CommandLine } from '../support/command-line.ts';
import { type ServeProcess, serveProcess } from '../support/serve-process.ts';
import { testFlags } from '../support/server.ts';
import { temporaryDirectory } from '../support/temp.ts';
import { until } from '../support/wait.ts';

interface Status {
  readonly migration: {
    readonly state: string;
    readonly total_copies: number;
    readonly moved_copies: number;
    readonly failures: number;
  };
}

describe('migrating objects from a directory to another, by API and command line', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  let server: ServeProcess;
  let cli: CommandLine;
  const bytes = randomBytes(3_000_000);
  const count = 40;

  const start = async () => {
    server = await serveProcess({ ...testFlags(join(directory.path, 'data')), 'log-level': 'warn' });
  };
  const place = async (name: string) => {
    const path = join(directory.path, name);
    await mkdir(path, { recursive: true });
    return path;
  };
  const status = async () => (JSON.parse(await cli.ok('migration', 'status', '--json')) as Status).migration;
  const call = async (method: string, path: string, body?: unknown) => {
    const reply = await fetch(`${server.url}/api/v1/${path}`, {
      method,
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(30_000),
    });
    return { status: reply.status, body: (await reply.json()) as Record<string, unknown> };
  };

  before(async () => {
    directory = await temporaryDirectory();
    cli = new CommandLine(directory.path, () => server.url);
    await start();
    await cli.ok('backend', 'add', 'disk1', 'filesystem', '--set', `path=${await place('disk1')}`);
    await cli.ok('bucket', 'create', 'kept');
    for (let index = 0; index < count; index++) await call('PUT', `objects/kept/k${index}`, { index });
    await writeFile(join(directory.path, 'large'), bytes);
    await cli.ok('object', 'put', join(directory.path, 'large'), 'kept/large');
  });
  after(async () => {
    await server.stop();
    await directory[Symbol.asyncDispose]();
  });

  it('says what is wrong with a wish, and begins nothing', async () => {
    const file = join(directory.path, 'no directory');
    await writeFile(file, '');
    const wrong: readonly [unknown, RegExp][] = [
      [{}, /Say where to/],
      [{ target: 'disk1', driver: 'filesystem' }, /Say where to/],
      [{ target: 'disk1' }, /0 other active backends/],
      [{ target: 'nowhere', source: 'disk1' }, /no backend nowhere/],
      [{ source: 'nowhere', driver: 'filesystem', config: { path: file } }, /no backend nowhere/],
      [{ target: 'disk1', source: 'disk1' }, /needs two backends/],
      [{ driver: 'tape', config: {} }, /tape/],
      [{ driver: 'filesystem', config: { path: file } }, /directory/],
      [{ driver: 'filesystem', config: { path: join(directory.path, 'disk1') } }, /same place|in use|belongs/],
    ];
    for (const [body, message] of wrong) {
      const reply = await call('POST', 'migrate', body);
      assert.ok(
        reply.status >= 400 && reply.status <= 503 && reply.status !== 500,
        `${reply.status} for ${JSON.stringify(body)}`,
      );
      assert.match(String(reply.body['error']), message);
    }
    assert.equal((await call('DELETE', 'migrate')).status, 404);
    assert.deepEqual((await call('GET', 'migrate/status')).body, { migration: null });
    assert.equal(((await call('GET', 'backends')).body['items'] as unknown[]).length, 1);
  });

  it('tells what it would move and cost', async () => {
    const told = await cli.ok(
      'migration',
      'start',
      'disk2',
      '--kind',
      'filesystem',
      '--set',
      `path=${await place('disk2')}`,
      '--dry-run',
    );
    assert.match(told, /41 copies with \d+ bytes move from disk1 to disk2/);
    assert.match(told, /disk1 +82 +0 +\d+/);
  });

  it('moves everything to a new backend, is killed in between, and loses nothing', async () => {
    await cli.ok(
      'migration',
      'start',
      'disk2',
      '--kind',
      'filesystem',
      '--set',
      `path=${await place('disk2')}`,
      '--parallel',
      '1',
    );
    await server.kill();
    await start();
    const ended = await until('its end', async () => {
      const one = await status();
      return one.state === 'completed' && one;
    });
    assert.deepEqual([ended.total_copies, ended.failures], [count + 1, 0]);
    assert.ok(ended.moved_copies >= ended.total_copies);
    const back = join(directory.path, 'back');
    await cli.ok('object', 'get', 'kept/large', back);
    assert.ok((await readFile(back)).equals(bytes));
    for (let index = 0; index < count; index++) {
      assert.deepEqual((await call('GET', `objects/kept/k${index}`)).body, { index });
    }
    await until('the old bytes are gone', async () => (await call('GET', 'backends/disk1')).body['used_bytes'] === 0);
    const left = await readdir(join(directory.path, 'disk1', 'blobs', 'kept'), { recursive: true }).catch(() => []);
    assert.deepEqual(left, []);
    await cli.ok('backend', 'remove', 'disk1');
    assert.match(await cli.ok('gateway', 'check', '--deep'), /findings +0/);
  });

  it('changes how the only backend is reached without moving anything', async () => {
    const elsewhere = await place('disk3');
    const refused = await call('PATCH', 'backend-config', { config: { path: elsewhere } });
    assert.equal(refused.status, 409, JSON.stringify(refused.body));
    const path = `${join(directory.path, 'disk2')}/.`;
    const changed = await call('PATCH', 'backend-config', { config: { path } });
    assert.equal(changed.status, 200, JSON.stringify(changed.body));
  });
});

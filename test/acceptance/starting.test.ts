import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { contract } from '../../src/contract.ts';
import { migrations } from '../../src/migrations.ts';
import { clientHelpers, testFlags } from '../support/server.ts';
import { serveProcess } from '../support/serve-process.ts';
import { temporaryDirectory } from '../support/temp.ts';

const bin = join(import.meta.dirname, '../../bin/holdfast.js');

describe('the command line and the process', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  before(async () => {
    directory = await temporaryDirectory();
  });
  after(() => directory[Symbol.asyncDispose]());

  function holdfast(
    args: readonly string[],
    env: Record<string, string> = {},
  ): Promise<{ code: number; stdout: string; stderr: string }> {
    const inherited = { PATH: process.env['PATH'] ?? '', HOME: directory.path };
    return new Promise((resolve) => {
      execFile(
        process.execPath,
        [bin, ...args],
        { env: { ...inherited, ...env }, timeout: 60_000 },
        (error, stdout, stderr) => {
          resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr });
        },
      );
    });
  }

  it('says in one sentence why it cannot start, and exits with an error', async () => {
    const config = join(directory.path, 'wrong.toml');
    await writeFile(config, 'prot = 80\n');
    const data = { HOLDFAST_DATA_DIR: join(directory.path, 'refused'), HOLDFAST_PORT: '0', HOLDFAST_S3_PORT: '0' };
    const cases: readonly (readonly [Record<string, string>, RegExp])[] = [
      [{ ...data, HOLDFAST_HOST: '0.0.0.0' }, /Listening on 0\.0\.0\.0 needs a token/],
      [{ ...data, DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' }, /The store is unavailable: .*ECONNREFUSED/],
      [{ ...data, DATABASE_URL: 'mysql://x' }, /DATABASE_URL must begin with postgres/],
      [{ ...data, HOLDFAST_DATA_DIR: `${config}/below-a-file` }, /The data directory .* cannot be written/],
      [{ ...data, HOLDFAST_CONFIG: config }, /no setting .*"prot".*Did you mean port/],
      [{ ...data, HOLDFAST_PROT: '1' }, /Did you mean HOLDFAST_PORT/],
      [{ ...data, STORAGE_BACKEND: 'floppy' }, /"floppy" is not one of memory, file, ceph, cloudstack/],
    ];
    for (const [env, sentence] of cases) {
      const { code, stderr } = await holdfast(['serve'], env);
      assert.notEqual(code, 0);
      assert.match(stderr, sentence);
      assert.equal(stderr.trim().split('\n').length, 1, stderr);
    }
  });

  it("goes through a volume's life, finishes after kill -9 what it accepted, and stops cleanly", async () => {
    const flags = { ...testFlags(join(directory.path, 'life')), 'storage-backend': 'file', 'log-level': 'warn' };
    let server = await serveProcess(flags);
    const accepted = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        server.client.call(contract.createVolume, { body: { name: `v${index}`, size: '1MiB' } }),
      ),
    );
    await server.kill();
    server = await serveProcess(flags);
    for (const { operation_id } of accepted) {
      assert.equal((await clientHelpers(server.client).ended(operation_id)).status, 'completed');
    }
    const second = await holdfast(['serve', ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value])]);
    assert.match(second.stderr, /Another Holdfast server is already running/);

    const env = { HOLDFAST_URL: server.url };
    const run = (...args: string[]) => holdfast(args, env);
    assert.equal((await run('volume', 'attach', 'v0', 'n1', '--wait')).code, 0);
    assert.equal((await run('volume', 'attach', 'v0', 'n2')).code, 5);
    assert.equal((await run('volume', 'show', 'nothing')).code, 4);
    const shown = await run('volume', 'show', 'v0', '--json');
    assert.equal((JSON.parse(shown.stdout) as { node_id: string }).node_id, 'n1');
    assert.equal((await run('volume', 'detach', 'v0', '--wait')).code, 0);
    assert.equal((await run('volume', 'create', 'bad name', '--size', '1MiB')).code, 2);
    assert.match((await run('operation', 'list')).stdout, /volume\.detach/);
    assert.match((await run('volume', 'watch', 'v0')).stdout, /available/);
    assert.equal(await server.stop(), 0);
    assert.equal((await run('volume', 'list')).code, 3);
  });

  it('makes tokens beside a running server, whose secrets are nowhere', async () => {
    const data = join(directory.path, 'tokens');
    const flags = { ...testFlags(data), 'log-level': 'warn' };
    const server = await serveProcess(flags);
    const made = await holdfast(['token', 'create', 'ops', '--role', 'viewer', '--json'], { HOLDFAST_DATA_DIR: data });
    const { token } = JSON.parse(made.stdout) as { token: string };
    const env = { HOLDFAST_URL: server.url, HOLDFAST_TOKEN: token };
    assert.equal((await holdfast(['volume', 'list'], env)).code, 0);
    assert.match((await holdfast(['volume', 'create', 'x', '--size', '1MiB'], env)).stderr, /needs the role operator/);
    assert.doesNotMatch((await holdfast(['token', 'list'], { HOLDFAST_DATA_DIR: data })).stdout, new RegExp(token));
    await holdfast(['token', 'revoke', 'ops'], { HOLDFAST_DATA_DIR: data });
    assert.match((await holdfast(['volume', 'list'], env)).stderr, /unknown or was revoked/);
    await server.stop();
  });

  it('shows its settings, its schema, its doctor, its completion and its demo', async () => {
    const env = { HOLDFAST_DATA_DIR: join(directory.path, 'shown'), HOLDFAST_PORT: '1', DATABASE_TIMEOUT: '4s' };
    assert.match((await holdfast(['config'], env)).stdout, /DATABASE_TIMEOUT\s+4s\s+environment DATABASE_TIMEOUT/);
    assert.match((await holdfast(['migrate', 'status'], env)).stdout, /0001_kernel\s+missing/);
    const names = migrations.map(({ name }) => name);
    assert.equal((await holdfast(['migrate', 'up'], env)).stdout, `Applied: ${names.join(', ')}\n`);
    assert.equal((await holdfast(['migrate', 'down'], env)).stdout, `Taken back: ${names.at(-1)}\n`);
    const checked = await holdfast(['doctor'], { ...env, HOLDFAST_PORT: '0', HOLDFAST_S3_PORT: '0' });
    assert.match(checked.stdout, /node\s+ok/);
    assert.match(checked.stdout, /store\s+ok\s+reachable, 1 migration will be applied/);
    assert.match(checked.stdout, /s3 port\s+ok/);
    assert.match(checked.stdout, /rclone\s+(ok\s+\/|warning\s.*apt-get install rclone)/);
    assert.match((await holdfast(['completion', 'bash'])).stdout, /volume create/);
    const demo = await holdfast(['demo'], { HOLDFAST_PORT: '1' });
    assert.equal(demo.code, 0, demo.stderr);
    assert.match(demo.stdout, /delete for good[\s\S]*events without a gap/);
    assert.equal((await holdfast(['nonsense'])).code, 2);
  });
});

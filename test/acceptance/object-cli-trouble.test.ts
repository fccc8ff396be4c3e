import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CommandLine, type Ran, type RunOptions } from '../support/command-line.ts';
import { freePort } from '../support/free-port.ts';
import { type ServeProcess, serveProcess } from '../support/serve-process.ts';
import { testFlags } from '../support/server.ts';
import { temporaryDirectory } from '../support/temp.ts';
import { until } from '../support/wait.ts';

const mebibyte = 1_048_576;
const largeBytes = 96 * mebibyte;

describe('objects on the command line, in trouble', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  let server: ServeProcess;
  let cli: CommandLine;
  let start: () => Promise<ServeProcess>;
  let large: string;

  before(async () => {
    directory = await temporaryDirectory();
    cli = new CommandLine(directory.path, () => server.url);
    // The same port after a restart, as a real server has it.
    const port = String(await freePort());
    start = () => serveProcess({ ...testFlags(join(directory.path, 'data')), port, 'log-level': 'warn' });
    server = await start();
    await cli.ok('backend', 'add', 'disk', 'filesystem', '--set', `path=${join(directory.path, 'disk')}`);
    await cli.ok('bucket', 'create', 'safe');
    large = join(directory.path, 'large.bin');
    await writeFile(large, randomBytes(largeBytes));
    await cli.ok('object', 'put', large, 'safe/large.bin');
  });
  after(async () => {
    await server.stop();
    await directory[Symbol.asyncDispose]();
  });

  /** Runs a command and sends it a signal when `isTime`. */
  async function interrupted(
    args: readonly string[],
    options: RunOptions,
    isTime: () => Promise<boolean>,
  ): Promise<Ran> {
    let kill = (): void => assert.fail('the command did not start');
    const ending = cli.run(args, { ...options, onStart: (child) => (kill = () => void child.kill('SIGINT')) });
    await until('it is time', isTime);
    kill();
    return ending;
  }

  it('ends at once when it is interrupted, and leaves nothing half behind', async () => {
    const target = join(directory.path, 'inside');
    await mkdir(target);
    const getting = ['object', 'get', 'safe/large.bin', target];
    const hasBegun = async () => (await readdir(target)).length > 0;
    let got = await interrupted(getting, {}, hasBegun);
    // One that was quick enough to end before the signal came has nothing to be interrupted in.
    for (let again = 0; got.code === 0 && again < 5; again++) {
      for (const name of await readdir(target)) await rm(join(target, name));
      got = await interrupted(getting, {}, hasBegun);
    }
    assert.deepEqual([got.signal, got.stderr, await readdir(target)], ['SIGINT', '', []]);

    const disk = join(directory.path, 'disk');
    const bytesBefore = await bytesBelow(disk);
    const sending = ['object', 'put', large, 'safe/half.bin'];
    const put = await interrupted(sending, {}, async () => (await bytesBelow(disk)) > bytesBefore + mebibyte);
    if (put.code !== 0) {
      assert.deepEqual([put.signal, put.stderr], ['SIGINT', '']);
      await cli.fails(4, /no object safe\/half\.bin/, 'object', 'stat', 'safe/half.bin');
    }
  });

  it('waits for a server that is killed and comes again, and then has everything', async () => {
    const many = join(directory.path, 'many');
    await mkdir(many);
    for (let index = 0; index < 300; index++) await writeFile(join(many, `f${index}`), randomBytes(2_000));
    const putting = cli.run(['object', 'put', many, 'safe/many', '-r', '--json', '--parallel', '2']);
    const list = () => cli.run(['object', 'list', 'safe/many/', '--limit', '1', '--json']);
    await until('some are there', async () => (await list()).stdout.includes('"key"'));
    await server.kill();
    server = await start();
    const put = await putting;
    assert.deepEqual([put.code, put.stderr], [0, '']);
    assert.equal((JSON.parse(put.stdout.toString()) as { objects: number }).objects, 300);

    const copy = join(directory.path, 'copy.bin');
    const getting = cli.run(['object', 'get', 'safe/large.bin', copy]);
    // Or all of it, on a machine on which this process has stood still meanwhile.
    await until('some of it is here', async () => (await partBytes(directory.path)) > mebibyte || existsSync(copy));
    await server.kill();
    server = await start();
    const got = await getting;
    assert.deepEqual([got.code, got.stderr], [0, '']);
    assert.ok((await readFile(copy)).equals(await readFile(large)));
    assert.match(await cli.ok('gateway', 'check'), /findings +0/);
  });

  it('ends quietly when its reader goes away, and loudly when its output is full', async () => {
    const head = await cli.shell('holdfast object get safe/large.bin - | head -c 5 | wc -c');
    assert.deepEqual([head.stdout.toString().trim(), head.stderr], ['5', '']);
    for (const command of ['object list safe', 'object get safe/large.bin -', 'backend list --json']) {
      const full = await cli.shell(`holdfast ${command} > /dev/full`);
      assert.deepEqual(
        [full.code, full.stderr],
        [1, 'holdfast: The output cannot be written: no space left on device.\n'],
      );
    }
  });

  it('tells programs in JSON what was used wrongly', async () => {
    const ran = await cli.run(['object', 'put', '--frob', '--json']);
    assert.equal(ran.code, 2);
    assert.deepEqual(JSON.parse(ran.stderr), { error: "unknown option '--frob'", code: 'INVALID_REQUEST' });
    const nowhere = await cli.run(['object', 'list', 'safe', '--json'], { url: 'http://127.0.0.1:1' });
    assert.equal(nowhere.code, 3);
    assert.equal((JSON.parse(nowhere.stderr) as { code: string }).code, 'SERVICE_UNAVAILABLE');
  });

  it('says what is missing where a token is needed', async () => {
    const env = { HOLDFAST_DATA_DIR: join(directory.path, 'data') };
    const made = await cli.run(['token', 'create', 'reader', '--role', 'viewer', '--json'], { env });
    const { token } = JSON.parse(made.stdout.toString()) as { token: string };
    try {
      await until('tokens count', async () => (await cli.run(['object', 'list', 'safe'])).code === 1);
      for (const command of ['list', 'stat']) {
        const target = command === 'list' ? 'safe' : 'safe/large.bin';
        await cli.fails(1, /Give --token or HOLDFAST_TOKEN/, 'object', command, target);
        assert.equal((await cli.run(['object', command, target], { env: { HOLDFAST_TOKEN: token } })).code, 0);
      }
      const remove = await cli.run(['object', 'remove', 'safe/large.bin', '--token', token]);
      assert.deepEqual([remove.code, /needs the role operator/.test(remove.stderr)], [1, true]);
    } finally {
      await cli.run(['token', 'revoke', 'reader'], { env });
    }
  });
});

/** The bytes of all files below a directory, as they are now. */
async function bytesBelow(root: string): Promise<number> {
  const found = await readdir(root, { recursive: true, withFileTypes: true });
  const sizes = found.filter((entry) => entry.isFile()).map(({ parentPath, name }) => sizeOf(join(parentPath, name)));
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

async function partBytes(root: string): Promise<number> {
  const parts = (await readdir(root)).filter((name) => name.endsWith('.part'));
  return (await Promise.all(parts.map((name) => sizeOf(join(root, name))))).reduce((sum, size) => sum + size, 0);
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

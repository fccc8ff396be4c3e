import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Apache, apacheMissing, startApache } from '../support/apache.ts';
import { CommandLine } from '../support/command-line.ts';
import { type ServeProcess, serveProcess } from '../support/serve-process.ts';
import { testFlags } from '../support/server.ts';
import { temporaryDirectory } from '../support/temp.ts';
import { until } from '../support/wait.ts';

const skip = process.env['HOLDFAST_REQUIRE_REAL'] === '1' ? false : (apacheMissing() ?? false);

/** What README promises under "Three minutes to a safe bucket", in its order. */
describe('three minutes to a safe bucket: two directories and a WebDAV share', { skip }, () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  let apache: Apache;
  let server: ServeProcess;
  let cli: CommandLine;
  const at = (name: string) => join(directory.path, name);

  before(async () => {
    directory = await temporaryDirectory();
    apache = await startApache();
    server = await serveProcess({ ...testFlags(at('data')), 'log-level': 'warn' });
    cli = new CommandLine(directory.path, () => server.url);
    await mkdir(at('photos/2024'), { recursive: true });
    for (const name of ['1.jpg', '2.jpg', '2024/3.jpg']) await writeFile(at(`photos/${name}`), randomBytes(50_000));
    await writeFile(at('backup.tar'), randomBytes(3_000_000));
  });
  after(async () => {
    await server?.stop();
    await apache?.stop();
    await directory?.[Symbol.asyncDispose]();
  });

  it('names the places, makes the bucket and a key', async () => {
    for (const name of ['disk1', 'disk2']) {
      await cli.ok('backend', 'add', name, 'filesystem', '--set', `path=${at(name)}`, '--label', 'place=home');
    }
    const { url, username, password } = apache;
    const share = ['webdav', '--set', `url=${url}`, `username=${username}`, '--secret', 'password'];
    const cloud = ['backend', 'add', 'cloud', ...share, '--label', 'place=away'];
    assert.equal((await cli.run(cloud, { env: { HOLDFAST_SECRET_PASSWORD: password } })).stderr, '');
    const made = await cli.ok('bucket', 'create', 'safe', '--copies', '2', '--failure-domain', 'place');
    assert.match(made, /2 copies, each with another place/);
    const lines = (await cli.ok('key', 'create', '--label', 'laptop'))
      .split('\n')
      .filter((line) => /^ *export /.test(line));
    assert.equal(lines.length, 4);
    assert.doesNotMatch(await cli.ok('backend', 'show', 'cloud'), /pass word/);
  });

  it('writes each object twice, once at home and once away, and gives it back', async () => {
    await cli.ok('object', 'put', 'backup.tar', 'safe');
    assert.match(await cli.ok('object', 'put', 'photos', 'safe/photos', '--recursive'), /^3 objects written/);
    assert.match(
      await cli.ok('object', 'list', 'safe/photos/'),
      /photos\/1\.jpg\n.*photos\/2\.jpg\n.*photos\/2024\/\n$/,
    );
    assert.match(await cli.ok('object', 'get', 'safe/photos', 'restored', '--recursive'), /^3 objects written/);
    for (const name of ['1.jpg', '2.jpg', '2024/3.jpg']) {
      assert.ok((await readFile(at(`photos/${name}`))).equals(await readFile(at(`restored/${name}`))));
    }
    const url = (await cli.ok('object', 'presign', 'safe/backup.tar', '--expires', '1h')).trim();
    const fetched = Buffer.from(await (await fetch(url)).arrayBuffer());
    assert.ok(fetched.equals(await readFile(at('backup.tar'))));
    const { items } = JSON.parse(await cli.ok('backend', 'list', '--json')) as {
      items: { name: string; copies: { count: number } }[];
    };
    const copies = Object.fromEntries(items.map((one) => [one.name, one.copies.count]));
    assert.deepEqual(copies, { disk1: 4, disk2: 0, cloud: 4 });
  });

  it('goes on reading and writing when a disk is away, and says what is wrong', async () => {
    await rename(at('disk1'), at('disk1.gone'));
    await cli.ok('object', 'get', 'safe/backup.tar', 'again.tar');
    assert.ok((await readFile(at('again.tar'))).equals(await readFile(at('backup.tar'))));
    // Backends are asked how they are every ten seconds at most.
    const isTold = async () => /^disk1: The directory .* mount its disk again\./m.test(await cli.ok('backend', 'list'));
    await until('the list says what is wrong', isTold);
    await cli.ok('object', 'put', 'backup.tar', 'safe/while-away.tar');
    await cli.fails(1, /^$/, 'gateway', 'check');
    assert.deepEqual((await readdir(directory.path)).includes('disk1'), false);
    await rename(at('disk1.gone'), at('disk1'));
    // It was left alone since its calls failed, and is looked for again after a while.
    const isBack = async () => !/^disk1: /m.test(await cli.ok('backend', 'list'));
    await until('the list finds nothing wrong', isBack, 70_000);
    assert.match(await cli.ok('gateway', 'check', '--deep'), /findings +0/);
  });
});

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CommandLine } from '../support/command-line.ts';
import { testFlags } from '../support/server.ts';
import { type ServeProcess, serveProcess } from '../support/serve-process.ts';
import { temporaryDirectory } from '../support/temp.ts';

interface Summary {
  readonly objects: number;
  readonly failed: number;
  readonly skips: readonly { readonly name: string; readonly reason: string }[];
  readonly failures: readonly { readonly name: string; readonly reason: string }[];
}

describe('buckets on their way in and out', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  let server: ServeProcess;
  let cli: CommandLine;
  let place: string[];
  const secrets: Record<string, string> = {};

  before(async () => {
    directory = await temporaryDirectory();
    cli = new CommandLine(directory.path, () => server.url);
    server = await serveProcess({ ...testFlags(join(directory.path, 'data')), 'log-level': 'warn' });
    await mkdir(join(directory.path, 'disk'));
    await cli.ok('backend', 'add', 'disk', 'filesystem', '--set', `path=${join(directory.path, 'disk')}`);
    for (const bucket of ['there', 'here', 'out']) await cli.ok('bucket', 'create', bucket);
    const key = JSON.parse(await cli.ok('key', 'create', '--json')) as Record<string, string>;
    Object.assign(secrets, {
      HOLDFAST_SECRET_ACCESS_KEY_ID: key['access_key'],
      HOLDFAST_SECRET_SECRET_ACCESS_KEY: key['secret'],
    });
    place = ['--kind', 's3', '--set', `endpoint=${server.s3Url}`];
    place.push('--secret', 'access_key_id', '--secret', 'secret_access_key');
  });
  after(async () => {
    await server.stop();
    await directory[Symbol.asyncDispose]();
  });

  const path = (bucket: string, key: string) =>
    `${server.url}/api/v1/objects/${bucket}/${key.split('/').map(encodeURIComponent).join('/')}`;
  const put = async (bucket: string, key: string, body: Buffer | string, headers: Record<string, string> = {}) => {
    const response = await fetch(path(bucket, key), {
      method: 'PUT',
      body: new Uint8Array(Buffer.from(body)),
      headers,
    });
    assert.equal(response.status, 201, await response.text());
  };
  /** All that a reader is told of an object but when it was written and which version it is. */
  const get = async (bucket: string, key: string) => {
    const response = await fetch(path(bucket, key));
    const {
      date,
      connection,
      'last-modified': modified,
      'x-version-id': version,
      ...told
    } = Object.fromEntries(response.headers);
    void [date, connection, modified, version];
    const md5 = createHash('md5')
      .update(Buffer.from(await response.arrayBuffer()))
      .digest('hex');
    return { status: response.status, md5, ...told };
  };
  const transfer = async (...args: string[]): Promise<Summary> => {
    const { code, stdout, stderr } = await cli.run([...args, '--json'], { env: secrets });
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout.toString()) as Summary;
  };

  const facts = {
    'content-type': 'text/x-odd; charset=utf-8',
    'cache-control': 'no-cache',
    'content-encoding': 'x-odd',
    'x-meta-owner': 'somebody',
    'x-tags': 'keep=no&with%20space=a%2Bb',
  };
  const keys = ['plain', 'a/b/c', 'a b+c%20d', 'ä/\u{ff5e}', 'ä/\u{10000}', 'empty', 'large'];

  it('comes in with its keys, types, metadata and tags, and a second run finds it here', async () => {
    for (const key of keys) {
      const body = key === 'empty' ? '' : key === 'large' ? randomBytes(3_000_000) : `content of ${key}`;
      await put('there', key, body, key === 'plain' ? facts : {});
    }
    const from = ['bucket', 'import', 'here/in', ...place, '--set', 'bucket=there'];
    const first = await transfer(...from);
    assert.deepEqual([first.objects, first.failed, first.skips], [keys.length, 0, []]);
    for (const key of keys) {
      const there = await get('there', key);
      assert.deepEqual(await get('here', `in/${key}`), there, key);
      if (key === 'plain')
        for (const [name, value] of Object.entries(facts))
          if (name !== 'x-tags') assert.equal(there[name as never], value);
    }
    assert.equal(new URLSearchParams((await get('here', 'in/plain'))['x-tags' as never]).get('with space'), 'a+b');

    await put('there', 'new', 'new');
    await put('here', 'in/a/b/c', 'CONTENT OF a/b/c');
    const second = await transfer(...from);
    assert.deepEqual([second.objects, second.skips.map(({ name }) => name)], [1, ['a/b/c']]);
    const third = await transfer(...from, '--overwrite');
    assert.equal(third.objects, 1);
    assert.deepEqual(await get('here', 'in/a/b/c'), await get('there', 'a/b/c'));
  });

  it('goes out to another place with all of that, and to a directory under plain names; a second run finds it there', async () => {
    const to = ['bucket', 'export', 'there', ...place, '--set', 'bucket=out'];
    const count = keys.length + 1;
    assert.equal((await transfer(...to)).objects, count);
    for (const key of keys) assert.deepEqual(await get('out', key), await get('there', key), key);
    assert.equal((await transfer(...to)).objects, 0);

    const target = join(directory.path, 'exported');
    assert.equal((await transfer('bucket', 'export', 'there', target)).objects, count);
    assert.equal(await readFile(join(target, 'a/b/c'), 'utf8'), 'content of a/b/c');
    assert.equal((await transfer('bucket', 'export', 'there', target)).objects, 0);
    await writeFile(join(target, 'plain'), 'CONTENT OF plain');
    assert.equal((await transfer('bucket', 'export', 'there', target)).objects, 1);
    assert.equal(await readFile(join(target, 'plain'), 'utf8'), 'content of plain');
    await cli.fails(2, /a directory, or a place by --kind/, 'bucket', 'export', 'there');
    await cli.fails(2, /There is no kind "ftp"/, 'bucket', 'import', 'here', '--kind', 'ftp');
  });

  /** What stands in a bucket, as readers are told. */
  const all = async (bucket: string) => {
    const listed = JSON.parse(await cli.ok('object', 'list', bucket, '--recursive', '--json')) as {
      items: readonly { key: string }[];
    };
    return Object.fromEntries(
      await Promise.all(listed.items.map(async ({ key }) => [key, await get(bucket, key)] as const)),
    );
  };
  /** Of what stands, that which a directory keeps. */
  const kept = (bucket: Awaited<ReturnType<typeof all>>) => Object.entries(bucket).map(([key, { md5 }]) => [key, md5]);

  it('goes out and comes back the same, by way of another bucket', async () => {
    for (const bucket of ['way', 'back']) await cli.ok('bucket', 'create', bucket);
    await transfer('bucket', 'export', 'there', ...place, '--set', 'bucket=way');
    const count = keys.length + 1;
    assert.equal((await transfer('bucket', 'import', 'back', ...place, '--set', 'bucket=way')).objects, count);
    const there = await all('there');
    assert.equal(Object.keys(there).length, count);
    assert.deepEqual(await all('back'), there);
  });

  it('goes out to a directory and comes back with its keys and bytes, whatever the keys are', async () => {
    await cli.ok('bucket', 'create', 'odd');
    const plain = { 'a/b': 'b', 'a/c d.css': 'c', 'a.txt': 'text', 'folder/': '', 'ä/%2F': 'percent', none: '' };
    const odd = { a: 'a', 'a/': '', 'a//b': 'two slashes', '/etc': 'first slash', 'z/': 'not empty' };
    for (const [key, body] of Object.entries(plain)) await put('odd', key, body);
    for (const [index, from] of [[], ['--kind', 'filesystem']].entries()) {
      const target = join(directory.path, `way-${index}`);
      const way = from.length === 0 ? [target] : [...from, '--set', `path=${target}`];
      const back = `back-${index}`;
      await cli.ok('bucket', 'create', back);
      assert.equal((await transfer('bucket', 'export', 'odd', ...way)).objects, 6);
      assert.equal(await readFile(join(target, 'a/b'), 'utf8'), 'b');
      assert.equal((await transfer('bucket', 'import', back, ...way)).objects, 6);
      assert.deepEqual(kept(await all(back)), kept(await all('odd')));
      assert.equal((await get(back, 'a/c d.css'))['content-type' as never], 'text/css; charset=utf-8');
      assert.equal((await transfer('bucket', 'import', back, ...way)).objects, 0);
      await writeFile(join(target, 'a/b'), 'B');
      const differing = await transfer('bucket', 'import', back, ...way);
      assert.deepEqual([differing.objects, differing.skips.map(({ name }) => name)], [0, ['a/b']]);
      assert.equal((await transfer('bucket', 'import', back, ...way, '--overwrite')).objects, 1);
    }

    for (const [key, body] of Object.entries(odd)) await put('odd', key, body);
    const target = join(directory.path, 'way-encoded');
    const refused = await cli.run(['bucket', 'export', 'odd', target, '--json']);
    const { failures } = JSON.parse(refused.stdout.toString()) as Summary;
    assert.deepEqual(
      failures.map(({ name }) => name).toSorted(),
      ['/etc', 'a/b', 'a/c d.css', 'a//b', 'a/', 'z/'].toSorted(),
    );
    const encoded = join(directory.path, 'way-encoded-names');
    const count = Object.keys({ ...plain, ...odd }).length;
    assert.equal((await transfer('bucket', 'export', 'odd', encoded, '--encode-names')).objects, count);
    await cli.ok('bucket', 'create', 'back-encoded');
    assert.equal((await transfer('bucket', 'import', 'back-encoded', encoded, '--decode-names')).objects, count);
    assert.deepEqual(kept(await all('back-encoded')), kept(await all('odd')));
  });

  it('is taken from a directory only that is there and named once', async () => {
    const gone = join(directory.path, 'gone');
    await cli.fails(2, /cannot be read: no such file/, 'bucket', 'import', 'here', gone);
    const set = ['--set', `path=${gone}`];
    await cli.fails(2, /cannot be read: no such file/, 'bucket', 'import', 'here', '--kind', 'filesystem', ...set);
    await cli.fails(2, /a directory, or a place by --kind/, 'bucket', 'import', 'here');
    await cli.fails(2, /a directory, or a place by --kind/, 'bucket', 'import', 'here', gone, '--kind', 'filesystem');
    const dav = ['--kind', 'webdav', '--set', 'url=http://127.0.0.1:1/', '--decode-names'];
    await cli.fails(2, /--decode-names is for a directory/, 'bucket', 'import', 'here', ...dav);
  });
});

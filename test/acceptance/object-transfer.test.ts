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
});

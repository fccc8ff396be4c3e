import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CommandLine } from '../support/command-line.ts';
import { testFlags } from '../support/server.ts';
import { type ServeProcess, serveProcess } from '../support/serve-process.ts';
import { temporaryDirectory } from '../support/temp.ts';

const bin = join(import.meta.dirname, '../../bin/holdfast.js');
const mebibyte = 1_048_576;

interface Listed {
  readonly items: readonly { readonly key: string; readonly size_bytes: number }[];
  readonly prefixes: readonly string[];
  readonly next_cursor: string | null;
}

describe('objects on the command line', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  let server: ServeProcess;
  let cli: CommandLine;

  before(async () => {
    directory = await temporaryDirectory();
    cli = new CommandLine(directory.path, () => server.url);
    server = await serveProcess({ ...testFlags(join(directory.path, 'data')), 'log-level': 'warn' });
    for (const name of ['disk1', 'disk2']) {
      await mkdir(join(directory.path, name));
      await cli.ok('backend', 'add', name, 'filesystem', '--set', `path=${join(directory.path, name)}`);
    }
    await cli.ok('bucket', 'create', 'safe', '--copies', '2', '--placement', 'spread');
  });
  after(async () => {
    await server.stop();
    await directory[Symbol.asyncDispose]();
  });

  async function keysIn(target: string): Promise<string[]> {
    return (JSON.parse(await cli.ok('object', 'list', target, '-r', '--json')) as Listed).items.map(({ key }) => key);
  }

  /** Every file below a directory, with its content. */
  async function tree(root: string): Promise<Map<string, string>> {
    const found = await readdir(root, { recursive: true, withFileTypes: true });
    const files = found.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
    const read = async (path: string): Promise<[string, string]> => [
      path.slice(root.length + 1),
      await readFile(path, 'hex'),
    ];
    return new Map(await Promise.all(files.sort().map(read)));
  }

  it('puts a tree with odd names, lists it, gets it back the same, and removes it', async () => {
    const names = [
      'plain.txt',
      'with space',
      'line\nbreak',
      '-rf',
      '...',
      'a..b',
      'per%cent%2Fslash',
      'q?x=1&y#z',
      'déjà/vü/😀.json',
      'presign',
      'deep/'.repeat(30) + 'end',
      'empty',
      'quote\'s"and\\back',
      'n'.repeat(255),
    ];
    const source = join(directory.path, 'source');
    for (const [index, name] of names.entries()) {
      await mkdir(dirname(join(source, name)), { recursive: true });
      await writeFile(join(source, name), name === 'empty' ? '' : randomBytes(1 + index * 10_000));
    }
    const summary = JSON.parse(await cli.ok('object', 'put', source, 'safe/tree', '-r', '--json')) as Record<
      string,
      unknown
    >;
    const bytes = names.reduce((sum, name, index) => sum + (name === 'empty' ? 0 : 1 + index * 10_000), 0);
    assert.deepEqual(summary, { objects: names.length, bytes, failed: 0, failures: [], skipped: 0, skips: [] });
    const byBytes = (one: string, other: string) => Buffer.compare(Buffer.from(one), Buffer.from(other));
    assert.deepEqual(await keysIn('safe/tree/'), names.map((name) => `tree/${name}`).sort(byBytes));

    const shown = await cli.ok('object', 'list', 'safe/tree/');
    assert.match(shown, /^ +- {24}tree\/deep\/$/m);
    assert.match(shown, /^ +0 B {2}\S+Z {2}tree\/empty$/m);
    assert.match(shown, /tree\/line\\x0abreak$/m);
    assert.doesNotMatch(shown, /deep\/deep/);
    const page = JSON.parse(await cli.ok('object', 'list', 'safe/tree/', '--limit', '3', '--json')) as Listed;
    assert.equal(page.items.length + page.prefixes.length, 3);
    const rest = await cli.ok('object', 'list', 'safe/tree/', '--cursor', page.next_cursor!, '--json');
    assert.equal((JSON.parse(rest) as Listed).items.length, names.length - 2 - page.items.length);

    const back = join(directory.path, 'back');
    assert.match(await cli.ok('object', 'get', 'safe/tree', back, '-r', '--parallel', '8'), /^14 objects written/);
    assert.deepEqual(await tree(back), await tree(source));
    assert.match(await cli.ok('object', 'remove', 'safe/tree', '-r'), /^14 objects removed$/m);
    assert.deepEqual(await keysIn('safe'), []);
    await cli.fails(4, /no objects below safe\/tree/, 'object', 'get', 'safe/tree', join(directory.path, 'none'), '-r');
  });

  it('puts and gets a large file, through files and through pipes, whole and in ranges', async () => {
    const content = randomBytes(30 * mebibyte);
    const path = join(directory.path, 'large.bin');
    await writeFile(path, content);
    const put = await cli.ok('object', 'put', path, 'safe', '--meta', 'who=Müller', '--content-type', 'x/y', '--json');
    const object = JSON.parse(put) as Record<string, unknown>;
    assert.equal(object['key'], 'large.bin');
    assert.equal(object['etag'], createHash('md5').update(content).digest('hex'));
    const facts = JSON.parse(await cli.ok('object', 'stat', 'safe/large.bin', '--json')) as Record<string, unknown>;
    assert.deepEqual({ ...object, modified_at: null }, { ...facts, modified_at: null });
    assert.deepEqual([facts['content_type'], facts['metadata']], ['x/y', { who: 'Müller' }]);

    await cli.ok('object', 'get', 'safe/large.bin', join(directory.path, 'copy.bin'));
    assert.ok(content.equals(await readFile(join(directory.path, 'copy.bin'))));
    const piped = await cli.run(['object', 'get', 'safe/large.bin', '-']);
    assert.ok(content.equals(piped.stdout));
    const part = await cli.run(['object', 'get', 'safe/large.bin', '-', '--range', '1000-2999']);
    assert.ok(content.subarray(1000, 3000).equals(part.stdout));
    const end = await cli.run(['object', 'get', 'safe/large.bin', '-', '--range', '-5']);
    assert.ok(content.subarray(-5).equals(end.stdout));
    await cli.fails(1, /range cannot be satisfied/, 'object', 'get', 'safe/large.bin', '-', '--range', '99999999-');

    const size = ['--size', String(content.length)];
    const written = await cli.run(['object', 'put', '-', 'safe/piped', ...size], { input: content });
    assert.deepEqual([written.code, written.stderr], [0, '']);
    assert.ok(content.equals((await cli.run(['object', 'get', 'safe/piped', '-'])).stdout));
    for (const input of [content.subarray(1), Buffer.concat([content, Buffer.from('x')])]) {
      const wrong = await cli.run(['object', 'put', '-', 'safe/wrong', ...size], { input });
      assert.deepEqual([wrong.code, /not as long as it was said/.test(wrong.stderr)], [2, true], wrong.stderr);
    }
    const unknown = await cli.run(['object', 'put', '-', 'safe/wrong'], { input: content });
    assert.deepEqual([unknown.code, /must be known.*--size/.test(unknown.stderr)], [2, true], unknown.stderr);
    await cli.fails(4, /no object safe\/wrong/, 'object', 'stat', 'safe/wrong');
    await cli.ok('object', 'remove', 'safe/', '-r', '-y');
  });

  it('makes addresses that anybody can use', async () => {
    const body = 'by an address';
    const to = (await cli.ok('object', 'presign', 'safe/by/an address', '--method', 'PUT', '--expires', '5m')).trim();
    assert.equal((await fetch(to, { method: 'PUT', body })).status, 200);
    const from = JSON.parse(await cli.ok('object', 'presign', 'safe/by/an address', '--json')) as {
      url: string;
      method: string;
    };
    assert.equal(from.method, 'GET');
    assert.equal(await (await fetch(from.url)).text(), body);
    assert.equal((await fetch(from.url, { method: 'DELETE' })).status, 403);
    await cli.fails(2, /from 1s to 7d/, 'object', 'presign', 'safe/x', '--expires', '8d');
    await cli.ok('object', 'remove', 'safe/by/an address');
  });

  it('never writes outside of the target, and names the keys that it refuses', async () => {
    const file = join(directory.path, 'small');
    await writeFile(file, 'small');
    const keys = ['../escaped', '/absolute', 'a', 'a-b', 'a/below', 'b//c', 'c/', 'fine/x'];
    for (const key of keys) {
      const { code, stderr } = await cli.run(['object', 'put', '-', `safe/odd/${key}`, '--size', '5'], {
        input: Buffer.from('small'),
      });
      // Keys that end with a slash can come from other clients only.
      assert.deepEqual([code, stderr === ''], key === 'c/' ? [2, false] : [0, true], stderr);
    }
    const url = (await cli.ok('object', 'presign', 'safe/odd/c/', '--method', 'PUT')).trim();
    assert.equal((await fetch(url, { method: 'PUT', body: '' })).status, 200);
    const target = join(directory.path, 'inside/target');
    const { stderr, stdout } = await cli.fails(
      1,
      /4 of 8 objects not written/,
      'object',
      'get',
      'safe/odd',
      target,
      '-r',
    );
    for (const key of ['../escaped', '/absolute', 'a/below', 'b//c']) {
      assert.ok(stderr.includes(`not written: odd/${key}: `), `${key} in ${stderr}`);
    }
    assert.match(stdout.toString(), /^4 objects written/);
    assert.deepEqual([...(await tree(dirname(target))).keys()], ['target/a', 'target/a-b', 'target/fine/x']);
    assert.deepEqual((await readdir(target)).sort(), ['a', 'a-b', 'c', 'fine']);

    const encoded = join(directory.path, 'encoded');
    await cli.ok('object', 'get', 'safe/odd', encoded, '-r', '--encode-names');
    const paths = [...(await tree(encoded)).keys()].map(decodeURIComponent).sort();
    assert.deepEqual(paths, keys.filter((key) => key !== 'c/').sort());
    // A key that looks like another address of the API is still a key.
    await cli.ok('object', 'remove', 'safe/../../buckets/safe');
    await cli.ok('bucket', 'show', 'safe');
    await cli.ok('object', 'remove', 'safe/odd', '-r');
  });

  it('goes on after a failure, sums it up, and exits with 1', async () => {
    const source = join(directory.path, 'partly');
    await mkdir(source);
    for (const name of ['one', 'two', 'three']) await writeFile(join(source, name), name);
    await cli.ok('object', 'put', join(source, 'two'), 'safe/partly/two');
    const put = ['object', 'put', source, 'safe/partly', '-r', '--if-none-match', '--json'];
    const { stdout, stderr } = await cli.fails(1, /1 of 3 objects not written/, ...put);
    assert.deepEqual(JSON.parse(stdout.toString()), {
      objects: 2,
      bytes: 8,
      failed: 1,
      failures: [{ name: 'two', reason: 'A condition of the request does not hold.' }],
      skipped: 0,
      skips: [],
    });
    assert.deepEqual(JSON.parse(stderr), { error: '1 of 3 objects not written' });
    await cli.ok('object', 'remove', 'safe/partly', '-r');
  });

  it('exits with what a program can learn from', async () => {
    const nobody = await cli.run(['object', 'list', 'safe'], { url: 'http://127.0.0.1:1' });
    assert.deepEqual([nobody.code, /Is the server running/.test(nobody.stderr)], [3, true]);
    const putting = ['object', 'put', directory.path, 'safe/x', '-r'];
    assert.equal((await cli.run(putting, { url: 'http://127.0.0.1:1' })).code, 3);
    await cli.fails(4, /key does not exist/, 'object', 'get', 'safe/nothing', '-');
    await cli.fails(4, /bucket does not exist/, 'object', 'list', 'nothing');
    await cli.fails(4, /bucket does not exist/, 'object', 'put', bin, 'nothing/x');
    await cli.fails(4, /bucket does not exist/, 'object', 'put', dirname(bin), 'nothing', '-r');
    await cli.fails(4, /bucket does not exist/, 'bucket', 'show', 'nothing');
    await cli.fails(5, /exists already/, 'bucket', 'create', 'safe');
    await cli.fails(2, /bucket name has/, 'bucket', 'create', 'No_Good');
    await cli.fails(2, /3 copies need/, 'bucket', 'create', 'more', '--copies', '3');
    await cli.fails(2, /give --recursive/, 'object', 'put', directory.path, 'safe');
    await cli.fails(
      2,
      /cannot be read: no such file or directory\./,
      'object',
      'put',
      join(directory.path, 'missing'),
      'safe/x',
    );
    await cli.fails(2, /names no object/, 'object', 'get', 'safe', '-');
    await cli.fails(2, /is not a range/, 'object', 'get', 'safe/x', '-', '--range', 'all');
    await cli.fails(2, /from 1 to 64/, 'object', 'get', 'safe', '-r', '--parallel', '65');
    await cli.fails(2, /Nobody is here to answer/, 'object', 'remove', 'safe', '-r');
    await cli.fails(2, /nothing to change/, 'bucket', 'change', 'safe');
  });

  it('makes, changes, fills and removes buckets', async () => {
    const label = ['--require-label', 'none', '--failure-domain', 'zone'];
    await cli.ok('bucket', 'create', 'other', '--durability', 'quorum', '--versioning', '--copies', '2', ...label);
    assert.match(await cli.ok('bucket', 'list', '--prefix', 'oth'), /^other +2 +quorum +pack +enabled +local/m);
    const change = ['--durability', 'one', '--copies', '1', '--failure-domain', 'none', '--versioning', 'suspended'];
    const changed = JSON.parse(await cli.ok('bucket', 'change', 'other', ...change, '--json')) as Record<
      string,
      unknown
    >;
    const { copies, durability, failure_domain: domain, versioning } = changed;
    assert.deepEqual([copies, durability, domain, versioning], [1, 'one', null, 'suspended']);
    await cli.ok('bucket', 'create', 'full');
    await cli.ok('object', 'put', bin, 'full/a/');
    assert.match(await cli.ok('object', 'stat', 'full/a/holdfast.js'), /^type +text\/javascript/m);
    await cli.fails(5, /not empty/, 'bucket', 'remove', 'full');
    await cli.fails(2, /Nobody is here to answer/, 'bucket', 'remove', 'full', '--force');
    assert.match(await cli.ok('bucket', 'remove', 'full', '--force', '--yes'), /Bucket full is removed/);
    await cli.ok('bucket', 'remove', 'other');
    await cli.fails(4, /does not exist/, 'bucket', 'remove', 'full', '--force', '--yes');
  });

  it('keeps versions that can be read by their id', async () => {
    await cli.ok('bucket', 'create', 'kept', '--versioning');
    const put = async (text: string) => {
      const args = ['object', 'put', '-', 'kept/x', '--size', String(text.length), '--json'];
      const { stdout } = await cli.run(args, { input: Buffer.from(text) });
      return (JSON.parse(stdout.toString()) as { version_id: string }).version_id;
    };
    const first = await put('first');
    await put('second');
    assert.equal(await cli.ok('object', 'get', 'kept/x', '-'), 'second');
    assert.equal(await cli.ok('object', 'get', 'kept/x', '-', '--version-id', first), 'first');
    assert.match(await cli.ok('object', 'remove', 'kept/x'), /older versions are kept/);
    await cli.fails(4, /does not exist/, 'object', 'get', 'kept/x', '-');
    await cli.fails(5, /Older versions.*are left/, 'bucket', 'remove', 'kept', '--force', '-y');
    assert.match(await cli.ok('object', 'stat', 'kept/x', '--version-id', first), /^size +5 B/m);
  });

  it('checks the gateway, and fails when a copy is gone', async () => {
    await cli.ok('bucket', 'create', 'checked', '--copies', '2');
    await cli.ok('object', 'put', bin, 'checked/x');
    assert.match(await cli.ok('gateway', 'check', '--deep'), /findings +0/);
    assert.equal(await cli.ok('gateway', 'retry'), '0 deletions are tried again.\n');
    // Whatever of this object stands there, behind the gateway's back.
    for (const path of (await tree(join(directory.path, 'disk1'))).keys()) {
      if (!path.includes('holdfast')) await rm(join(directory.path, 'disk1', path));
    }
    const { stdout } = await cli.run(['gateway', 'check', '--json']);
    const report = JSON.parse(stdout.toString()) as { findings: { kind: string }[] };
    assert.ok(
      report.findings.some(({ kind }) => kind === 'missing_copy'),
      stdout.toString(),
    );
    await cli.fails(1, /^$/, 'gateway', 'check');
  });

  it('shows all of it in its help and in its completion', async () => {
    const help = await cli.ok('--help');
    const completion = await cli.ok('completion', 'bash');
    for (const group of ['bucket', 'object', 'backend', 'key', 'gateway']) {
      assert.match(help, new RegExp(`^  ${group} `, 'm'));
      assert.match(completion, new RegExp(`"${group}"\\) words="[a-z]`));
    }
    assert.match(completion, /"object put"\) words="--parallel --recursive/);
    assert.match(await cli.ok('object', 'get', '--help'), /--encode-names/);
  });
});

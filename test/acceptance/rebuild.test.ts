import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { CommandLine } from '../support/command-line.ts';
import { type ServeProcess, serveProcess } from '../support/serve-process.ts';
import { testFlags } from '../support/server.ts';
import { temporaryDirectory } from '../support/temp.ts';
import { until } from '../support/wait.ts';

interface Keepers {
  readonly items: readonly { readonly name: string; readonly last_result: string | null }[];
}

describe('a server whose data directory was lost', () => {
  it('has all of its objects again after a rebuild from two directories, by command line', async () => {
    await using directory = await temporaryDirectory();
    const at = (...names: string[]) => join(directory.path, ...names);
    await writeFile(at('root.key'), `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 });
    let server: ServeProcess;
    const start = async () => {
      const flags = { ...testFlags(at('data')), 'encryption-key-files': `main=${at('root.key')}`, 'log-level': 'warn' };
      server = await serveProcess(flags);
    };
    const cli = new CommandLine(directory.path, () => server.url);
    const addDisks = async () => {
      for (const name of ['disk1', 'disk2']) {
        await mkdir(at(name), { recursive: true });
        await cli.ok('backend', 'add', name, 'filesystem', '--set', `path=${at(name)}`);
      }
    };
    const files = { plain: Buffer.from('plain'), large: randomBytes(9_000_000), late: Buffer.from('late') };
    for (const [name, bytes] of Object.entries(files)) await writeFile(at(name), bytes);

    await start();
    try {
      await addDisks();
      await cli.ok('bucket', 'create', 'open', '--copies', '2');
      await cli.ok('bucket', 'create', 'safe', '--copies', '2', '--encryption', 'AES256');
      await cli.ok('object', 'put', at('plain'), 'open/plain');
      await cli.ok('object', 'put', at('large'), 'safe/large');
      await cli.ok('keeper', 'run', 'object-ledger-backup');
      await until('a backup', async () => {
        const { items } = JSON.parse(await cli.ok('keeper', 'list', '--json')) as Keepers;
        const backup = items.find(({ name }) => name === 'object-ledger-backup');
        return /[1-9]\d* lines/.test(backup?.last_result ?? '');
      });
      await cli.ok('object', 'put', at('late'), 'safe/late');
    } finally {
      await server!.stop();
    }
    await rm(at('data'), { recursive: true });

    await start();
    try {
      await addDisks();
      assert.match(await cli.ok('gateway', 'rebuild', '--dry-run'), /Nothing was entered/);
      const told = await cli.ok('gateway', 'rebuild');
      assert.match(told, /^versions +3$/m);
      assert.match(told, /^lost +0$/m);
      assert.match(told, /safe\/late \(version null\) is newer than the backup/);
      for (const [key, name] of [
        ['open/plain', 'plain'],
        ['safe/large', 'large'],
        ['safe/late', 'late'],
      ] as const) {
        await cli.ok('object', 'get', key, at('back'));
        assert.ok((await readFile(at('back'))).equals(files[name]), key);
      }
      assert.match(await cli.ok('gateway', 'check', '--deep'), /^findings +0$/m);
      const { code, stderr } = await cli.run(['gateway', 'rebuild']);
      assert.match(stderr, /The ledger has objects/);
      assert.notEqual(code, 0);
      assert.match(await cli.ok('gateway', 'rebuild', '--missing'), /^left as they are +[23]$/m);
    } finally {
      await server!.stop();
    }
  });
});

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { contract } from '../../src/contract.ts';
import { CommandLine } from '../support/command-line.ts';
import { type ServeProcess, serveProcess } from '../support/serve-process.ts';
import { testFlags } from '../support/server.ts';
import { temporaryDirectory } from '../support/temp.ts';
import { until } from '../support/wait.ts';
import { isGenuine, webhookReceiver } from '../support/webhook-receiver.ts';

interface Keepers {
  readonly items: readonly { readonly name: string; readonly last_result: string | null }[];
}

describe('a server whose data directory was lost', () => {
  it('has all of its objects again after a rebuild from two directories, by command line, and who may do what and is told', async () => {
    await using directory = await temporaryDirectory();
    await using hook = await webhookReceiver();
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

    let reader: { readonly access_key: string; readonly secret: string };
    let hookSecret = '';
    const s3 = async <R>(act: (client: S3Client) => Promise<R>): Promise<R> => {
      const credentials = { accessKeyId: reader.access_key, secretAccessKey: reader.secret };
      const { s3Url: endpoint } = server;
      const signed = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials, maxAttempts: 1 });
      try {
        return await act(signed);
      } finally {
        signed.destroy();
      }
    };
    await start();
    try {
      await addDisks();
      await cli.ok('bucket', 'create', 'open', '--copies', '2');
      await cli.ok('bucket', 'create', 'safe', '--copies', '2', '--encryption', 'AES256');
      await cli.ok('object', 'put', at('plain'), 'open/plain');
      await cli.ok('object', 'put', at('large'), 'safe/large');
      const wish = { label: 'reader', bucket: 'open', permissions: ['read' as const] };
      reader = await server!.client.call(contract.createKey, { body: wish });
      hookSecret = /whsec_\S+/.exec(await cli.ok('notification', 'add', 'hook', 'webhook', hook.url))![0];
      await cli.ok('notification', 'subscribe', 'opened', 'hook', 'object.*', '--resource', 'object:open/');
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
      for (const line of [/^users +1$/m, /^access keys +1$/m, /^grants +1$/m, /^notification targets +1$/m]) {
        assert.match(told, line);
      }
      // Who could sign in can, and may do what was granted, and no more.
      const got = await s3((client) => client.send(new GetObjectCommand({ Bucket: 'open', Key: 'plain' })));
      assert.equal(await got.Body!.transformToString(), 'plain');
      for (const refused of [
        new PutObjectCommand({ Bucket: 'open', Key: 'plain', Body: 'mine' }),
        new GetObjectCommand({ Bucket: 'safe', Key: 'large' }),
      ]) {
        await assert.rejects(
          s3((client) => client.send(refused as GetObjectCommand)),
          { name: 'AccessDenied' },
        );
      }
      const before = hook.received.length;
      await cli.ok('object', 'put', at('late'), 'open/after');
      const message = await until('a message', () =>
        hook.received.slice(before).find(({ body }) => body.includes('open/after')),
      );
      assert.ok(isGenuine(hookSecret, message));
      await cli.ok('object', 'remove', 'open/after');
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

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { Command } from 'commander';
import { temporaryDirectory } from '../../test/support/temp.ts';
import { ApiError, Client } from '../client.ts';
import { createAuthorizer } from '../kernel/http/authorizer.ts';
import { createHttpServer } from '../kernel/http/server.ts';
import { createIdSource, systemClock } from '../kernel/ids.ts';
import { toSecretKey } from '../kernel/secrets/secret-key.ts';
import { createSealer } from '../kernel/secrets/sealer.ts';
import { kernelMigration } from '../kernel/store/migrations/0001_kernel.ts';
import { openStore } from '../kernel/store/open.ts';
import { createLog } from '../kernel/telemetry/log.ts';
import { createMetrics } from '../kernel/telemetry/metrics.ts';
import { accessMigration } from '../objects/migrations/0004_access.ts';
import { accessRoutes } from '../objects/access/routes.ts';
import { registerKeyCommands, s3EnvironmentHint } from './key.ts';

describe('holdfast key', () => {
  let url: string;
  let stop: () => Promise<void>;

  before(async () => {
    const directory = await temporaryDirectory();
    const migrations = [kernelMigration, accessMigration];
    const settings = { databaseUrl: undefined, dataDirectory: directory.path, timeoutMs: 5_000, migrations };
    const store = await openStore(settings, { owner: true });
    const sealer = createSealer(toSecretKey(Buffer.alloc(32, 1), 'test'));
    const log = createLog({ level: 'silent' });
    const app = createHttpServer(
      { log, metrics: createMetrics(), tracer: null, authorizer: createAuthorizer(store) },
      accessRoutes({ store, sealer, newId: createIdSource(), clock: systemClock }),
    );
    url = await app.listen({ host: '127.0.0.1', port: 0 });
    stop = async () => {
      await app.close();
      await store.close();
      await directory[Symbol.asyncDispose]();
    };
  });
  after(() => stop());

  /** Runs one command and gives what it printed. */
  async function run(...args: readonly string[]): Promise<string> {
    const lines: string[] = [];
    const program = new Command('holdfast').option('--json').exitOverride();
    registerKeyCommands(program.command('key'), ({ json: isJson = false }) => ({
      client: new Client({ url }),
      output: {
        isTerminal: false,
        line: (text = '') => void lines.push(text),
        live: () => {},
        error: (text) => void lines.push(text),
      },
      isJson,
    }));
    await program.parseAsync(['key', ...args], { from: 'user' });
    return stripVTControlCharacters(lines.join('\n'));
  }

  test('create shows the secret once, as lines for a shell', async () => {
    const text = await run('create');
    const { AWS_ACCESS_KEY_ID: key, AWS_SECRET_ACCESS_KEY: secret } = exportsIn(text);
    assert.match(key!, /^HF[A-Z2-7]{18}$/);
    assert.match(secret!, /^[A-Za-z0-9]{40}$/);
    assert.match(exportsIn(text)['AWS_ENDPOINT_URL']!, /^http:\/\/127\.0\.0\.1:\d+$/);
    assert.equal(text.split(secret!).length, 2);
    const list = await run('list');
    assert.ok(list.includes(key!) && !list.includes(secret!));
  });

  test('create, list, grant and revoke for programs', async () => {
    const made = JSON.parse(
      await run('create', '--json', '--label', 'ci', '--bucket', 'photos', '--permissions', 'read, list'),
    ) as Record<string, string>;
    assert.equal(made['user_name'], 'ci');
    const grant = JSON.parse(await run('grant', 'ci', '*', 'none', '--json')) as unknown;
    assert.deepEqual(grant, { bucket: '*', permissions: [] });
    assert.deepEqual(JSON.parse(await run('revoke', made['access_key']!, '--json')), {
      access_key: made['access_key'],
      revoked: true,
    });
    const { items } = JSON.parse(await run('list', '--json', '--user', 'ci')) as { items: Record<string, string>[] };
    assert.deepEqual(
      items.map(({ access_key, revoked_at }) => [access_key, revoked_at !== null]),
      [[made['access_key'], true]],
    );
  });

  test('says what it did in a sentence', async () => {
    await run('create', '--label', 'sam');
    assert.equal(await run('grant', 'sam', 'photos', 'read,list'), 'sam may now do in photos: list, read.');
    assert.equal(await run('grant', 'sam', '*', 'none'), 'sam may now do in every other bucket: nothing.');
    const { AWS_ACCESS_KEY_ID: key } = exportsIn(await run('create', '--user', 'sam'));
    assert.equal(await run('revoke', key!), `Access key ${key} is revoked.`);
  });

  test('list goes on where the page before ended', async () => {
    for (let index = 0; index < 3; index++) await run('create', '--label', 'paged');
    const first = await run('list', '--user', 'paged', '--limit', '2');
    const cursor = /more: --cursor (\S+)$/.exec(first)![1]!;
    const second = await run('list', '--user', 'paged', '--cursor', cursor);
    const keys = [...`${first}\n${second}`.matchAll(/^HF\w+/gm)].map(([key]) => key);
    assert.equal(new Set(keys).size, 3);
    assert.equal(keys.length, 3);
  });

  test('fails with one sentence', async () => {
    const failures: readonly (readonly [readonly string[], RegExp])[] = [
      [['revoke', 'HFAAAAAAAAAAAAAAAAAA'], /^There is no access key HFA{18}\.$/],
      [['create', '--user', 'nobody'], /^There is no user nobody\.$/],
      [['create', '--permissions', 'all'], /^"all" is not a permission; there are list, read, write, delete, tags\.$/],
      [['grant', 'default', 'No!', 'read'], /^A grant is for a bucket's name or for "\*", not for "No!"\.$/],
    ];
    for (const [args, pattern] of failures) {
      await assert.rejects(run(...args), (error: unknown) => {
        assert.match((error as Error).message, pattern);
        return true;
      });
    }
    await assert.rejects(run('revoke', 'HFAAAAAAAAAAAAAAAAAA'), ApiError);
  });
});

function exportsIn(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(/^ {2}export (\w+)=(\S+)$/gm)].map(([, name, value]) => [name, value]));
}

test('the hint for S3 clients is the host of the API with the settings of this environment', () => {
  assert.deepEqual(s3EnvironmentHint('http://127.0.0.1:8080', {}), [
    'AWS_ENDPOINT_URL=http://127.0.0.1:9000',
    'AWS_DEFAULT_REGION=us-east-1',
  ]);
  const env = { HOLDFAST_S3_PORT: '9100', HOLDFAST_S3_REGION: 'home' };
  assert.deepEqual(s3EnvironmentHint('https://store.example.org/', env), [
    'AWS_ENDPOINT_URL=https://store.example.org:9100',
    'AWS_DEFAULT_REGION=home',
  ]);
});

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { contract } from '../../src/contract.ts';
import { CommandLine } from '../support/command-line.ts';
import { type TestServer, testServer } from '../support/server.ts';

interface Summary {
  readonly objects: number;
  readonly failed: number;
  readonly without_storage_class?: Readonly<Record<string, number>>;
}

/** Above what goes in one request to S3, so that it goes in parts. */
const large = randomBytes(9_000_000);
const classOfKey: Readonly<Record<string, string>> = { warm: 'STANDARD', ice: 'GLACIER', 'ice-large': 'GLACIER' };
const ours: Readonly<Record<string, string>> = { ...classOfKey, own: 'COLD', 'own-large': 'COLD', 'own-too': 'COLD' };

describe('storage classes of buckets on their way in and out', () => {
  /** Knows a class of its own beside one of S3; the other server knows that of S3 alone. */
  let here: TestServer;
  let there: TestServer;
  let cli: CommandLine;

  before(async () => {
    here = await testServer({ 'object-storage-classes': 'COLD=tier=cold,GLACIER=tier=cold' });
    there = await testServer({ 'object-storage-classes': 'GLACIER=tier=cold' });
    cli = new CommandLine(here.directory, () => here.url);
    for (const at of [here, there]) {
      const config = { path: join(at.directory, 'disk') };
      const body = { name: 'disk', kind: 'filesystem', config, labels: { tier: 'cold' } };
      await at.client.call(contract.addObjectBackend, { body });
    }
    await makeBucket(here, 'from');
    for (const [key, name] of Object.entries(ours)) {
      const response = await fetch(`${here.url}/api/v1/objects/from/${key}`, {
        method: 'PUT',
        body: key.endsWith('large') ? new Uint8Array(large) : `content of ${key}`,
        headers: { 'x-storage-class': name },
      });
      assert.equal(response.status, 201, await response.text());
    }
  });
  after(async () => {
    await here[Symbol.asyncDispose]();
    await there[Symbol.asyncDispose]();
  });

  const makeBucket = (at: TestServer, name: string) => at.client.call(contract.createBucket, { body: { name } });
  /** Runs a transfer between a bucket of one server and, over S3, one of the other. */
  const transfer = async (way: 'import' | 'export', bucket: string, at: TestServer, remote: string, by = here) => {
    const run = async (args: string[], env: Record<string, string> = {}) => {
      const { code, stdout, stderr } = await cli.run(args, { url: by.url, env });
      assert.equal(code, 0, stderr);
      return stdout.toString();
    };
    const made = await cli.run(['key', 'create', '--json'], { url: at.url });
    const key = JSON.parse(made.stdout.toString()) as Record<string, string>;
    const env = {
      HOLDFAST_SECRET_ACCESS_KEY_ID: key['access_key']!,
      HOLDFAST_SECRET_SECRET_ACCESS_KEY: key['secret']!,
    };
    const set = [`endpoint=${at.server.s3Url}`, `bucket=${remote}`, 'multipart_part_bytes=5242880'];
    const place = ['--kind', 's3', ...set.flatMap((one) => ['--set', one])];
    const secrets = ['--secret', 'access_key_id', '--secret', 'secret_access_key'];
    return {
      json: async () => JSON.parse(await run(['bucket', way, bucket, ...place, ...secrets, '--json'], env)) as Summary,
      text: () => run(['bucket', way, bucket, ...place, ...secrets], env),
    };
  };
  const classesIn = async (at: TestServer, bucket: string) => {
    const { items } = await at.client.call(contract.listObjects, { params: { bucket }, query: {} });
    return Object.fromEntries(items.map((one) => [one.key, one.storage_class]));
  };
  const told = { COLD: 3 };
  const reduced = { ...ours, own: 'STANDARD', 'own-large': 'STANDARD', 'own-too': 'STANDARD' };

  test('go out and come back, whatever their names, where both sides have them', async () => {
    await makeBucket(here, 'same');
    await makeBucket(here, 'back');
    const out = await (await transfer('export', 'from', here, 'same')).json();
    assert.deepEqual([out.objects, out.without_storage_class], [Object.keys(ours).length, undefined]);
    assert.deepEqual(await classesIn(here, 'same'), ours);
    const back = await (await transfer('import', 'back', here, 'same')).json();
    assert.deepEqual([back.objects, back.without_storage_class], [Object.keys(ours).length, undefined]);
    assert.deepEqual(await classesIn(here, 'back'), ours);
  });

  test('that the target does not have are left out by an export, which tells of it', async () => {
    await makeBucket(there, 'out');
    const done = await (await transfer('export', 'from', there, 'out')).json();
    assert.deepEqual([done.objects, done.failed, done.without_storage_class], [Object.keys(ours).length, 0, told]);
    assert.deepEqual(await classesIn(there, 'out'), reduced);
    const bytes = await fetch(`${there.url}/api/v1/objects/out/own-large`);
    assert.ok(large.equals(Buffer.from(await bytes.arrayBuffer())));
    await makeBucket(there, 'out-again');
    const text = await (await transfer('export', 'from', there, 'out-again')).text();
    assert.match(text, /^3 objects without storage class COLD, which the target does not know$/m);
  });

  test('that there are not here are left out by an import, which tells of it', async () => {
    await makeBucket(there, 'incoming');
    const done = await (await transfer('import', 'incoming', here, 'from', there)).json();
    assert.deepEqual([done.objects, done.failed, done.without_storage_class], [Object.keys(ours).length, 0, told]);
    assert.deepEqual(await classesIn(there, 'incoming'), reduced);
    await makeBucket(there, 'in-again');
    const text = await (await transfer('import', 'in-again', here, 'from', there)).text();
    assert.match(text, /^3 objects without storage class COLD, which the target does not know$/m);
  });
});

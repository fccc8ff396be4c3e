import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { GetObjectCommand, PutObjectCommand, S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import { contract } from '../../src/contract.ts';
import { CommandLine } from '../support/command-line.ts';
import { type TestServer, testServer } from '../support/server.ts';
import { until } from '../support/wait.ts';

describe('a bucket with rates of its own', () => {
  let at: TestServer;
  let cli: CommandLine;
  let client: S3Client;
  let patient: S3Client;

  before(async () => {
    at = await testServer();
    cli = new CommandLine(at.directory, () => at.url);
    const { access_key: accessKeyId, secret: secretAccessKey } = await at.client.call(contract.createKey, { body: {} });
    const path = join(at.directory, 'objects');
    await at.client.call(contract.addObjectBackend, { body: { name: 'disk', kind: 'filesystem', config: { path } } });
    const common = { endpoint: at.server.s3Url, region: 'us-east-1', forcePathStyle: true };
    const credentials = { accessKeyId, secretAccessKey };
    client = new S3Client({ ...common, credentials, maxAttempts: 1 });
    patient = new S3Client({ ...common, credentials, maxAttempts: 8 });
    for (const name of ['held', 'free']) await at.client.call(contract.createBucket, { body: { name } });
    for (const Bucket of ['held', 'free']) {
      await client.send(new PutObjectCommand({ Bucket, Key: 'small', Body: 'small' }));
      await client.send(new PutObjectCommand({ Bucket, Key: 'large', Body: Buffer.alloc(300_000, 'x') }));
    }
  });
  after(async () => {
    client.destroy();
    patient.destroy();
    await at[Symbol.asyncDispose]();
  });

  const change = (body: Readonly<Record<string, number | null>>) =>
    at.client.call(contract.changeBucket, { params: { bucket: 'held' }, body });
  const read = async (Bucket: string, Key: string, by = client) => {
    const { Body } = await by.send(new GetObjectCommand({ Bucket, Key }));
    return Body!.transformToString();
  };
  /** The answers to so many reads at once: 200, or how long to wait. */
  const answers = (bucket: string, count: number) =>
    Promise.all(
      Array.from({ length: count }, () =>
        read(bucket, 'small').then(
          () => 'read',
          (error: unknown) => {
            assert.ok(error instanceof S3ServiceException, String(error));
            assert.deepEqual([error.name, error.$response?.statusCode], ['SlowDown', 503]);
            return `later: ${error.$response?.headers['retry-after']}`;
          },
        ),
      ),
    );

  test('answers what is beyond its requests with 503 and when to come again, and others as ever', async () => {
    const changed = await change({ requests_per_second: 2 });
    assert.deepEqual([changed.requests_per_second, changed.bytes_per_second], [2, null]);
    await until('a burst is there', async () => (await answers('held', 1))[0] === 'read');
    const beganAtMs = performance.now();
    const seen = await answers('held', 24);
    const passed = seen.filter((one) => one === 'read').length;
    const seconds = (performance.now() - beganAtMs) / 1_000;
    assert.ok(passed <= 2 * (seconds + 1) + 1, `${passed} passed in ${seconds} s`);
    assert.ok(
      seen.every((one) => one === 'read' || one === 'later: 1'),
      seen.join(', '),
    );
    assert.ok((await answers('free', 12)).every((one) => one === 'read'));
    const plain = await Promise.all(Array.from({ length: 6 }, () => fetch(`${at.url}/api/v1/objects/held/small`)));
    assert.ok(plain.some(({ status, headers }) => status === 503 && headers.get('retry-after') === '1'));
    assert.equal(await read('held', 'small', patient), 'small', 'a client that waits is served');
    await change({ requests_per_second: null });
    assert.ok((await answers('held', 12)).every((one) => one === 'read'));
  });

  test('lets no more bytes pass than its rate, both ways, over any length of time', async () => {
    await change({ bytes_per_second: 60_000 });
    const beganAtMs = performance.now();
    await read('held', 'large');
    const [later] = await answers('held', 1);
    assert.match(later!, /^later: [1-5]$/);
    assert.equal((await answers('free', 1))[0], 'read');
    await until('what was too much has come in', async () => (await answers('held', 1))[0] === 'read', 20_000);
    assert.ok(performance.now() - beganAtMs > 1_000);

    const body = new Uint8Array(Buffer.alloc(300_000, 'y'));
    const written = await fetch(`${at.url}/api/v1/objects/held/more`, { method: 'PUT', body });
    assert.equal(written.status, 201);
    const refused = await fetch(`${at.url}/api/v1/objects/held/more`);
    assert.equal(refused.status, 503);
    assert.match(refused.headers.get('retry-after')!, /^[1-5]$/);
    await change({ bytes_per_second: null });
    assert.deepEqual(await answers('held', 1), ['read']);
  });

  test('has them from the command line, which tells them, and takes no others', async () => {
    assert.match(
      await cli.ok('bucket', 'change', 'held', '--request-rate', '100', '--byte-rate', '20MiB'),
      /20 ?MiB\/s/,
    );
    const shown = await cli.ok('bucket', 'show', 'held');
    assert.match(shown, /request rate +100\/s/);
    assert.match(shown, /byte rate +20 ?MiB\/s/);
    await cli.ok('bucket', 'change', 'held', '--request-rate', 'none', '--byte-rate', 'none');
    assert.doesNotMatch(await cli.ok('bucket', 'show', 'held'), /rate/);
    for (const [flag, rate] of [
      ['--request-rate', '0'],
      ['--request-rate', '1.5'],
      ['--byte-rate', 'much'],
    ] as const) {
      await cli.fails(2, new RegExp(`${flag} is a whole number above 0`), 'bucket', 'change', 'held', flag, rate);
    }
    await assert.rejects(change({ requests_per_second: 0 }), /requests_per_second/);
  });
});

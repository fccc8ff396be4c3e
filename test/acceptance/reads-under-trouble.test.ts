import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { contract } from '../../src/contract.ts';
import type { ObjectBackend } from '../../src/objects/backends/backend.ts';
import { type TestServer, testServer } from '../support/server.ts';
import { until } from '../support/wait.ts';

const flags = { 'object-cache': '0', 'object-requests-max': '2', 'object-request-wait': '100ms' };

/** Holds the reads of one backend until they are let go or given up. */
class Hold {
  readonly waiting: (() => void)[] = [];
  holds: readonly string[] = [];

  readonly wrap = (name: string, real: ObjectBackend): ObjectBackend =>
    new Proxy(real, {
      get: (target, verb) => {
        const value: unknown = Reflect.get(target, verb, target);
        if (verb === 'get') return (...args: Parameters<ObjectBackend['get']>) => this.#get(name, target, args);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });

  letGo(): void {
    this.holds = [];
    for (const go of this.waiting.splice(0)) go();
  }

  async #get(name: string, real: ObjectBackend, args: Parameters<ObjectBackend['get']>) {
    if (this.holds.includes(name)) {
      const signal = args[2];
      await new Promise<void>((resolve) => {
        this.waiting.push(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      signal.throwIfAborted();
    }
    return real.get(...args);
  }
}

describe('a server under trouble', () => {
  const hold = new Hold();
  let at: TestServer;
  let client: S3Client;
  let patient: S3Client;
  const Bucket = 'box';
  const read = async (Key: string) => {
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
    return Body!.transformToString();
  };
  const metric = async (name: string) => {
    const text = await (await fetch(`${at.url}/metrics`)).text();
    return Number(new RegExp(`^holdfast_${name} (\\S+)$`, 'm').exec(text)?.[1]);
  };

  before(async () => {
    at = await testServer(flags, { wrapObjectBackend: hold.wrap });
    for (const [position, name] of ['first', 'second'].entries()) {
      const config = { path: join(at.directory, name) };
      await at.client.call(contract.addObjectBackend, { body: { name, kind: 'filesystem', config, position } });
    }
    await at.client.call(contract.createBucket, { body: { name: Bucket, copies: 2 } });
    const { access_key: accessKeyId, secret: secretAccessKey } = await at.client.call(contract.createKey, { body: {} });
    const credentials = { accessKeyId, secretAccessKey };
    const endpoint = at.server.s3Url;
    const common = { endpoint, region: 'us-east-1', forcePathStyle: true, credentials };
    client = new S3Client({ ...common, maxAttempts: 1 });
    patient = new S3Client({ ...common, maxAttempts: 10 });
    for (const Key of ['a', 'b']) await client.send(new PutObjectCommand({ Bucket, Key, Body: `of ${Key}` }));
  });
  after(async () => {
    hold.letGo();
    for (const one of [client, patient] as (S3Client | undefined)[]) one?.destroy();
    await (at as TestServer | undefined)?.[Symbol.asyncDispose]();
  });

  test('reads go on at once while a backend hangs', { timeout: 60_000 }, async () => {
    // Until both are known well enough to tell what is late.
    for (let time = 0; time < 30; time++) await read('a');
    for (const name of ['first', 'second']) {
      hold.holds = [name];
      const beganAtMs = performance.now();
      for (let time = 0; time < 10; time++) assert.equal(await read('a'), 'of a');
      const tookMs = performance.now() - beganAtMs;
      assert.ok(tookMs < 10_000, `10 reads took ${tookMs} ms while ${name} hung`);
      hold.letGo();
    }
    assert.ok((await metric('object_read_hedges_total')) >= 1);
    assert.ok((await metric('object_read_hedge_wins_total')) >= 1);
  });

  test(
    'an S3 client is told to slow down, comes again, and the API of operators goes on',
    { timeout: 60_000 },
    async () => {
      hold.holds = ['first', 'second'];
      const slow = [read('a'), read('b')];
      await until('both places are taken', async () => (await metric('object_requests_at_work')) === 2);
      const refused = await client.send(new HeadObjectCommand({ Bucket, Key: 'a' })).then(
        () => null,
        (error: unknown) => error,
      );
      assert.ok(refused instanceof S3ServiceException);
      assert.equal(refused.$metadata.httpStatusCode, 503);
      assert.equal(refused.$response?.headers['retry-after'], '1');
      await assert.rejects(client.send(new PutObjectCommand({ Bucket, Key: 'c', Body: 'x' })), { name: 'SlowDown' });
      const api = await fetch(`${at.url}/api/v1/objects/${Bucket}/a`);
      assert.deepEqual([api.status, api.headers.get('retry-after')], [503, '1'], await api.text());
      const { items } = await at.client.call(contract.listBuckets, { query: {} });
      assert.deepEqual(
        items.map(({ name }) => name),
        [Bucket],
      );
      assert.ok((await metric('object_requests_without_turn_total')) >= 3);
      // A client that tries again, as all do by default, gets what it wants once there is room.
      const again = patient.send(new HeadObjectCommand({ Bucket, Key: 'a' }));
      hold.letGo();
      assert.deepEqual(await Promise.all(slow), ['of a', 'of b']);
      assert.equal((await again).ContentLength, 4);
    },
  );
});

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { contract } from '../../../src/contract.ts';
import { postgresMissing, startPostgres } from '../../support/postgres.ts';
import { requireReal } from '../../support/stores.ts';
import { until } from '../../support/wait.ts';
import { bytesOf } from './case.ts';
import { type PausingProxy, startPausingProxy } from './pausing-proxy.ts';
import { type Place, directoryPlace } from './places.ts';
import { startGateway } from './rigs.ts';
import { Stops } from './stops.ts';
import { type Answer, type Ask, sendTo } from './wire.ts';
import { type World, openWorld } from './world.ts';

const databaseTimeoutMs = 1_000;
/** Two attempts at the store, and then some: this machine may be busy. */
const answerMsMax = 20_000;

void describe('S3 while the store is away', async () => {
  const missing = await postgresMissing();
  if (missing !== null && !requireReal) {
    describe.skip(`left out: ${missing}`);
    return;
  }
  const stops = new Stops();
  let proxy: PausingProxy;
  let place: Place;
  let world: World;
  let bucket: string;
  const [small, large] = [Buffer.from('recently read'), bytesOf(300_000)];

  before(async () => {
    if (missing !== null) assert.fail(`HOLDFAST_REQUIRE_REAL is set, but ${missing}`);
    const postgres = await startPostgres();
    stops.add(() => postgres.stop());
    const url = new URL(await postgres.createDatabase());
    proxy = await startPausingProxy(url.hostname, Number(url.port));
    stops.add(() => proxy.stop());
    url.port = String(proxy.port);
    place = await directoryPlace(stops);
    const flags = { 'database-url': url.href, 'database-timeout': `${databaseTimeoutMs}ms` };
    const gateway = await startGateway(stops, flags);
    await place.addTo(gateway.api, 0);
    world = await openWorld({
      gateways: [gateway],
      copies: 1,
      remains: () => place.remains(),
      stop: () => stops.run(),
    });
    // The store has a second for an answer, which a busy machine may take for itself.
    const isDone = async (ask: Ask) => (await world.send(ask)).status === 200;
    bucket = await world.bucket();
    for (const [key, body] of Object.entries({ small, large, unread: small, gone: small })) {
      await until(`${key} stands`, () => isDone({ method: 'PUT', target: `/${bucket}/${key}`, body }));
    }
    for (const key of ['small', 'large', 'gone', 'gone?versionId=null']) {
      await until(`${key} was read`, () => isDone({ method: 'GET', target: `/${bucket}/${key}` }));
    }
    await world.send({ method: 'DELETE', target: `/${bucket}/gone` });
  });
  after(async () => {
    (proxy as PausingProxy | undefined)?.resume();
    (world as World | undefined)?.close();
    await stops.run();
  });

  /** The answer, which must come in bounded time. */
  async function soon(answer: Promise<Answer>): Promise<Answer> {
    const startedMs = performance.now();
    const got = await answer;
    assert.ok(performance.now() - startedMs < answerMsMax, `it took ${performance.now() - startedMs} ms`);
    return got;
  }

  it('serves what was read recently, and says that it may be old', async () => {
    proxy.pause();
    const ask = (method: string, key: string, headers: Readonly<Record<string, string>> = {}) =>
      soon(world.send({ method, target: `/${bucket}/${key}`, headers }));
    const asked = [
      ask('GET', 'small'),
      ask('GET', 'large'),
      ask('GET', 'large', { range: 'bytes=5-9' }),
      ask('HEAD', 'small'),
    ];
    const answers = await Promise.all(asked);
    assert.deepEqual(
      answers.map(({ status, headers }) => [status, headers['x-holdfast-stale']]),
      [
        [200, 'true'],
        [200, 'true'],
        [206, 'true'],
        [200, 'true'],
      ],
    );
    const bodies = [small, large, large.subarray(5, 10), Buffer.alloc(0)];
    for (const [index, { body }] of answers.entries()) assert.ok(body.equals(bodies[index]!), String(index));
  });

  it('serves it to programs that want no S3 as well', async () => {
    const { url } = world.rig.gateways[0]!.api;
    const plain = (method: string, key: string) =>
      soon(sendTo(url, { method, target: `/api/v1/objects/${bucket}/${key}` }, null));
    for (const method of ['GET', 'HEAD']) {
      const { status, headers } = await plain(method, 'small');
      assert.deepEqual([status, headers['x-holdfast-stale']], [200, 'true'], method);
    }
    assert.equal((await plain('GET', 'unread')).status, 503);
    assert.equal((await plain('DELETE', 'small')).status, 503);
  });

  it('refuses what it cannot know, and every write, with 503 and a time to come back', async () => {
    const target = `/${bucket}/small`;
    const asks = [
      { method: 'GET', target: `/${bucket}/unread` },
      { method: 'GET', target: `/${bucket}/never-there` },
      { method: 'GET', target: `/${bucket}/gone` },
      { method: 'GET', target: `/${bucket}/gone?versionId=null` },
      { method: 'GET', target: `/${bucket}` },
      { method: 'PUT', target, body: 'changed' },
      { method: 'PUT', target, body: large },
      { method: 'DELETE', target },
      { method: 'POST', target: `/${bucket}/m?uploads` },
      { method: 'PUT', target: `${target}?tagging`, body: '<Tagging><TagSet/></Tagging>' },
      { method: 'PUT', target: '/made-while-away' },
    ];
    const answers = await Promise.all(asks.map((ask) => soon(world.send(ask))));
    for (const [index, { status, code, headers }] of answers.entries()) {
      const { method, target: asked } = asks[index]!;
      assert.deepEqual([method, asked, status, code], [method, asked, 503, 'ServiceUnavailable']);
      assert.match(String(headers['retry-after']), /^\d+$/);
    }
    const plain = await soon(
      sendTo(
        world.rig.gateways[0]!.api.url,
        { method: 'PUT', target: `/api/v1/objects/${bucket}/small`, body: 'x' },
        null,
      ),
    );
    assert.equal(plain.status, 503);
    assert.match(String(plain.headers['retry-after']), /^\d+$/);
    const forger = { ...world.owner, secret: 'x'.repeat(40) };
    assert.equal((await world.send({ method: 'GET', target, as: forger })).status, 403, 'signatures still count');
  });

  it('goes on as before when the store is back, and has lost and kept nothing', async () => {
    proxy.resume();
    const target = `/${bucket}/small`;
    await until('writes are taken again', async () => {
      const { status } = await world.send({ method: 'PUT', target: `/${bucket}/after`, body: 'after' });
      return status === 200;
    });
    const read = await world.send({ method: 'GET', target });
    assert.deepEqual([read.text, read.headers['x-holdfast-stale']], ['recently read', undefined]);
    const { findings } = await world.rig.gateways[0]!.api.call(contract.checkGateway, { body: { deep: true } });
    assert.deepEqual(findings, []);
  });
});

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { contract } from '../../../src/contract.ts';
import { createToken, newSecret } from '../../../src/kernel/auth/tokens.ts';
import { openStore } from '../../../src/kernel/store/open.ts';
import { migrations } from '../../../src/migrations.ts';
import { type TestServer, testServer } from '../../support/server.ts';
import { bytesOf, mebibyte } from './case.ts';
import { assertEmpty } from './clearing.ts';
import { directoryPlace, type Place } from './places.ts';
import { quickFlags } from './rigs.ts';
import { Stops } from './stops.ts';
import { type Answer, browse, headText, rawExchange, sendTo } from './wire.ts';

type Headers = Readonly<Record<string, string>>;
const root = '/api/v1/objects';
const encode = (key: string) => key.split('/').map(encodeURIComponent).join('/');

describe('objects over plain HTTP', () => {
  const stops = new Stops();
  let server: TestServer;
  let place: Place;
  let buckets = 0;

  before(async () => {
    place = await directoryPlace(stops);
    server = await testServer(quickFlags);
    stops.add(() => server[Symbol.asyncDispose]());
    await place.addTo(server.client, 0);
  });
  after(() => stops.run());

  const send = (method: string, target: string, body?: Buffer | string, headers: Headers = {}): Promise<Answer> =>
    sendTo(server.url, { method, target, headers, ...(body === undefined ? {} : { body }) }, null);
  const json = ({ text }: Answer) => JSON.parse(text) as Record<string, unknown>;
  async function bucket(more: object = {}): Promise<string> {
    const name = `plain-${++buckets}`;
    await server.client.call(contract.createBucket, { body: { name, ...more } });
    return name;
  }

  it('puts, reads and deletes an object, with its type and metadata', async () => {
    const target = `${root}/${await bucket()}/folder/k`;
    const put = await send('PUT', target, 'content', {
      'content-type': 'text/css',
      'x-meta-Colour': 'blue',
      'cache-control': 'no-store',
    });
    assert.equal(put.status, 201, put.text);
    const told = json(put);
    assert.deepEqual(
      [told['key'], told['size_bytes'], told['content_type'], told['metadata']],
      ['folder/k', 7, 'text/css', { colour: 'blue' }],
    );
    for (const method of ['GET', 'HEAD']) {
      const { status, headers, text } = await send(method, target);
      assert.deepEqual([status, text], [200, method === 'GET' ? 'content' : '']);
      assert.deepEqual(
        [
          headers['content-type'],
          headers['content-length'],
          headers['x-meta-colour'],
          headers['cache-control'],
          headers.etag,
        ],
        ['text/css', '7', 'blue', 'no-store', put.headers.etag],
      );
    }
    const removed = await send('DELETE', target);
    assert.deepEqual([removed.status, json(removed)], [200, { version_id: null, is_delete_marker: false }]);
    const gone = await send('GET', target);
    assert.deepEqual([gone.status, json(gone)['code']], [404, 'NOT_FOUND']);
    assert.equal((await send('HEAD', target)).status, 404);
    assert.equal((await send('DELETE', target)).status, 200, 'what is not there is deleted');
  });

  it('answers a refused put, and what follows on its connection or nothing', async () => {
    const name = await bucket();
    const next = headText('GET', `${root}/${name}`, ['host', 'localhost']);
    for (const [sizeBytes, isLast] of [
      [300_000, false],
      [4 * mebibyte, true],
    ] as const) {
      const headers = ['host', 'localhost', 'content-length', String(sizeBytes), 'if-match', '"x"'];
      const parts = [headText('PUT', `${root}/${name}/k`, headers), Buffer.alloc(sizeBytes), next];
      const received = await rawExchange(server.url, parts);
      assert.match(received, /^HTTP\/1\.1 404/);
      assert.equal(/^connection: close/im.test(received), isLast);
    }
  });

  const oddKeys = [
    'a//b',
    '..',
    '.',
    '../a',
    'a/../b',
    'a/',
    '/',
    '//',
    'a',
    'a/b',
    '%2F',
    'a%2Fb',
    '%',
    'ü ✓ 😀',
    'a?b#c',
    'a;b',
    'presign',
    'a/presign',
    'k'.repeat(1024),
    '✓'.repeat(341),
    'a\\b',
    '\u0001',
  ];
  it('takes keys as they are', async () => {
    const name = await bucket();
    for (const key of oddKeys) {
      const put = await send('PUT', `${root}/${name}/${encode(key)}`, key);
      assert.deepEqual([key, put.status, json(put)['key']], [key, 201, key]);
    }
    for (const key of oddKeys) assert.equal((await send('GET', `${root}/${name}/${encode(key)}`)).text, key, key);
    const { items } = json(await send('GET', `${root}/${name}?limit=1000`)) as { items: { key: string }[] };
    const expected = oddKeys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    assert.deepEqual(
      items.map(({ key }) => key),
      expected,
    );
    for (const key of ['k'.repeat(1025), '✓'.repeat(342)]) {
      assert.equal((await send('PUT', `${root}/${name}/${encode(key)}`, 'x')).status, 400);
    }
    for (const wire of ['%ff', '%zz', '%00'])
      assert.equal((await send('PUT', `${root}/${name}/${wire}`, 'x')).status, 400, wire);
    for (const key of oddKeys) assert.equal((await send('DELETE', `${root}/${name}/${encode(key)}`)).status, 200);
    assert.deepEqual(json(await send('GET', `${root}/${name}`)), { items: [], prefixes: [], next_cursor: null });
  });

  it('gives ranges and honours conditions', async () => {
    const target = `${root}/${await bucket()}/k`;
    const body = bytesOf(100_000);
    const {
      headers: { etag = '' },
    } = await send('PUT', target, body);
    for (const [range, status, first, end] of [
      ['bytes=10-19', 206, 10, 20],
      ['bytes=-5', 206, 99_995, 100_000],
      ['bytes=99999-', 206, 99_999, 100_000],
      ['bytes=5-1', 200, 0, 100_000],
      ['bytes=100000-', 416, 0, 0],
    ] as const) {
      const read = await send('GET', target, undefined, { range });
      const head = await send('HEAD', target, undefined, { range });
      assert.deepEqual([range, read.status, head.status], [range, status, status]);
      if (status === 416) continue;
      assert.ok(read.body.equals(body.subarray(first, end)), range);
      assert.deepEqual(
        [head.headers['content-length'], head.headers['content-range']],
        [String(end - first), read.headers['content-range']],
      );
    }
    const statuses = async (headers: Headers) => (await send('GET', target, undefined, headers)).status;
    assert.deepEqual([await statuses({ 'if-match': etag }), await statuses({ 'if-match': '"x"' })], [200, 412]);
    assert.deepEqual(
      [await statuses({ 'if-none-match': etag }), await statuses({ 'if-none-match': '"x"' })],
      [304, 200],
    );
    assert.equal(await statuses({ range: 'bytes=0-1', 'if-range': '"x"' }), 200);
    const write = async (headers: Headers) => (await send('PUT', target, 'new', headers)).status;
    assert.deepEqual(
      [await write({ 'if-none-match': '*' }), await write({ 'if-match': '"x"' }), await write({ 'if-match': etag })],
      [412, 412, 201],
    );
    assert.equal((await send('DELETE', target, undefined, { 'if-match': etag })).status, 412);
  });

  it('lets exactly one of 8 writes with If-None-Match: * at once win', async () => {
    const target = `${root}/${await bucket()}/k`;
    const bodies = Array.from({ length: 8 }, (_, index) => bytesOf(20_000, index));
    const answers = await Promise.all(bodies.map((body) => send('PUT', target, body, { 'if-none-match': '*' })));
    const won = answers.findIndex(({ status }) => status === 201);
    assert.equal(answers.filter(({ status }) => status === 201).length, 1);
    assert.ok((await send('GET', target)).body.equals(bodies[won]!));
  });

  it('lists page by page, with prefix and delimiter', async () => {
    const name = await bucket();
    const keys = ['a', 'b/1', 'b/2', 'c/1', 'd'];
    for (const key of keys) await send('PUT', `${root}/${name}/${key}`, key);
    const seen: string[] = [];
    let cursor = '';
    do {
      const answer = json(await send('GET', `${root}/${name}?delimiter=/&limit=1${cursor}`));
      const {
        items,
        prefixes,
        next_cursor: next,
      } = answer as { items: { key: string }[]; prefixes: string[]; next_cursor: string | null };
      assert.equal(items.length + prefixes.length, 1);
      seen.push(...items.map(({ key }) => key), ...prefixes);
      cursor = next === null ? '' : `&cursor=${next}`;
    } while (cursor !== '');
    assert.deepEqual(seen, ['a', 'b/', 'c/', 'd']);
    const under = json(await send('GET', `${root}/${name}?prefix=b/`)) as { items: { key: string }[] };
    assert.deepEqual(
      under.items.map(({ key }) => key),
      ['b/1', 'b/2'],
    );
    for (const query of ['cursor=nonsense', 'limit=0', 'limit=many', 'unknown=1']) {
      assert.equal((await send('GET', `${root}/${name}?${query}`)).status, 400, query);
    }
    assert.equal((await send('GET', `${root}/no-such-bucket`)).status, 404);
  });

  it('reads and removes versions', async () => {
    const name = await bucket({ versioning: 'enabled' });
    const target = `${root}/${name}/k`;
    const version = String(json(await send('PUT', target, 'one'))['version_id']);
    const second = String(json(await send('PUT', target, 'two'))['version_id']);
    assert.equal((await send('GET', `${target}?version_id=${version}`)).text, 'one');
    const marker = json(await send('DELETE', target));
    assert.equal(marker['is_delete_marker'], true);
    assert.deepEqual([(await send('GET', target)).status, (await send('HEAD', target)).status], [404, 404]);
    assert.equal((await send('GET', `${target}?version_id=${String(marker['version_id'])}`)).status, 405);
    await send('DELETE', `${target}?version_id=${version}`);
    assert.equal((await send('GET', `${target}?version_id=${version}`)).status, 404);
    await send('DELETE', `${target}?version_id=${String(marker['version_id'])}`);
    assert.equal((await send('GET', target)).text, 'two', 'what the marker hid is there again');
    await send('DELETE', `${target}?version_id=${second}`);
  });

  it('gives a write the lock that its bucket gives by default', async () => {
    const name = await bucket({ object_lock: true });
    const admin = await server.client.call(contract.createUser, { body: { name: 'admin', is_admin: true } });
    const key = await server.client.call(contract.createKey, { body: { user: admin.id } });
    const as = { accessKey: key.access_key, secret: key.secret, region: 'us-east-1' };
    const body =
      '<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>';
    const set = await sendTo(server.server.s3Url, { method: 'PUT', target: `/${name}?object-lock`, body }, as);
    assert.equal(set.status, 200, set.text);
    const { version_id: version } = json(await send('PUT', `${root}/${name}/k`, 'content'));
    const removed = await send('DELETE', `${root}/${name}/k?version_id=${String(version)}`);
    assert.equal(removed.status, 403, 'it is kept');
    const bypass = { 'x-amz-bypass-governance-retention': 'true' };
    const target = `/${name}/k?versionId=${String(version)}`;
    assert.equal((await sendTo(server.server.s3Url, { method: 'DELETE', target, headers: bypass }, as)).status, 204);
  });

  it('presigns an address that anybody may use for its method and time', async () => {
    const name = await bucket();
    const key = 'ü b/k';
    const presign = async (body: object) => {
      const answer = await send('POST', `${root}/${name}/${encode(key)}/presign`, JSON.stringify(body), {
        'content-type': 'application/json',
      });
      assert.equal(answer.status, 200, answer.text);
      return json(answer) as { url: string; method: string; expires_at: string };
    };
    const put = await presign({ method: 'PUT', expires_in_seconds: 60 });
    assert.equal((await browse(put.url, { method: 'PUT', body: 'by address' })).status, 200);
    const get = await presign({});
    assert.deepEqual([get.method, await (await browse(get.url)).text()], ['GET', 'by address']);
    assert.ok(Math.abs(Date.parse(get.expires_at) - Date.now() - 3_600_000) < 60_000);
    assert.equal((await browse(get.url, { method: 'DELETE' })).status, 403);
    assert.equal((await browse(get.url.replace('/k?', '/other?'))).status, 403);
    const wrong = await send('POST', `${root}/${name}/k/presign`, '{"expires_in_seconds":604801}', {
      'content-type': 'application/json',
    });
    assert.equal(wrong.status, 400);
    assert.equal((await send('POST', `${root}/${name}/k`, '{}', { 'content-type': 'application/json' })).status, 400);
  });

  it('keeps nothing of a body that is cut off, has no length or is too large', async () => {
    const name = await bucket();
    const head = (length: string[]) =>
      headText('PUT', `${root}/${name}/k`, ['host', new URL(server.url).host, ...length]);
    await rawExchange(server.url, [head(['content-length', String(2 * mebibyte)]), bytesOf(mebibyte)], {
      isEnded: true,
    });
    const chunked = await rawExchange(server.url, [head(['transfer-encoding', 'chunked']), '3\r\nabc\r\n0\r\n\r\n']);
    assert.match(chunked, /^HTTP\/1\.1 411 /);
    const large = await rawExchange(server.url, [head(['content-length', String(6 * 1024 ** 3)])]);
    assert.match(large, /^HTTP\/1\.1 400 /);
    assert.equal((await send('GET', `${root}/${name}/k`)).status, 404);
    const md5 = await send('PUT', `${root}/${name}/k`, 'content', { 'content-md5': 'AAAAAAAAAAAAAAAAAAAAAA==' });
    assert.equal(md5.status, 400);
    assert.equal((await send('GET', `${root}/${name}/k`)).status, 404);
  });

  it('tells errors as JSON with the status of S3', async () => {
    const name = await bucket();
    await send('PUT', `${root}/${name}/k`, 'x');
    const removal = await send('DELETE', `/api/v1/buckets/${name}`);
    assert.deepEqual([removal.status, json(removal)['code']], [409, 'CONFLICT']);
    const again = await send('POST', '/api/v1/buckets', JSON.stringify({ name }), {
      'content-type': 'application/json',
    });
    assert.equal(again.status, 409);
    const wrong = await send('POST', '/api/v1/buckets', '{"name":"Under_Score"}', {
      'content-type': 'application/json',
    });
    assert.equal(wrong.status, 400);
    const absent = await send('PUT', `${root}/no-such-bucket/k`, 'x');
    assert.deepEqual([absent.status, absent.headers['content-type']?.split(';')[0]], [404, 'application/json']);
  });

  it('leaves nothing behind', async () => {
    const { items } = json(await send('GET', '/api/v1/buckets?limit=1000')) as { items: { name: string }[] };
    assert.ok(items.length > 0);
    for (const { name } of items) {
      const listed = json(await send('GET', `${root}/${name}?limit=1000`)) as { items: { key: string }[] };
      for (const { key } of listed.items) await send('DELETE', `${root}/${name}/${encode(key)}`);
    }
    const gateways = [{ api: server.client, s3Url: server.server.s3Url }];
    await assertEmpty({ gateways, copies: 1, remains: () => place.remains(), stop: async () => {} });
  });

  it('lets a viewer read, an operator write, and nobody without a token anything', async () => {
    const name = await bucket();
    const target = `${root}/${name}/k`;
    await send('PUT', target, 'content');
    const tokens = new Map<string, string>();
    const settings = { databaseUrl: undefined, dataDirectory: server.directory, timeoutMs: 5_000, migrations };
    const store = await openStore(settings, { owner: false });
    for (const role of ['viewer', 'operator'] as const) {
      const { secret, hash } = newSecret();
      tokens.set(role, secret);
      await store.write(createToken, { id: `tok-${role}`, name: role, role, hash, nowMs: Date.now() });
    }
    const as = (role: string): Headers => ({ authorization: `Bearer ${tokens.get(role) ?? 'hf_wrong'}` });
    const asks = [['GET'], ['HEAD'], ['PUT', 'other'], ['DELETE']] as const;
    const outcome: Record<string, number[]> = {};
    for (const role of ['nobody', 'viewer', 'operator']) {
      outcome[role] = [];
      for (const [method, body] of asks) outcome[role].push((await send(method, target, body, as(role))).status);
    }
    assert.deepEqual(outcome, {
      nobody: [401, 401, 401, 401],
      viewer: [200, 200, 403, 403],
      operator: [200, 200, 201, 200],
    });
    await store.close();
  });
});

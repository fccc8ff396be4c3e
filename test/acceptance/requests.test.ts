import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { contract } from '../../src/contract.ts';
import { type TestServer, testServer } from '../support/server.ts';

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: Record<string, unknown>;
}

describe('requests over HTTP', () => {
  let server: TestServer;
  before(async () => {
    server = await testServer();
  });
  after(() => server[Symbol.asyncDispose]());

  async function send(
    method: string,
    path: string,
    body?: string,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const response = await fetch(server.url + path, {
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body }),
      signal: AbortSignal.timeout(20_000),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: JSON.parse(text) as Record<string, unknown>,
    };
  }
  const create = (body: string, headers?: Record<string, string>) => send('POST', '/api/v1/volumes', body, headers);

  it('accepts with 202, the operation, its volume and a Location', async () => {
    const answer = await create('{"name":"first","size":"1GiB"}');
    assert.equal(answer.status, 202);
    assert.equal(answer.headers.get('location'), `/api/v1/operations/${String(answer.body['operation_id'])}`);
    const operation = await server.ended(String(answer.body['operation_id']));
    assert.equal(operation.status, 'completed');
    assert.equal(operation.volume_id, answer.body['volume_id']);
    assert.deepEqual(
      operation.steps?.map(({ name, status }) => [name, status]),
      [['create image', 'completed']],
    );
  });

  const sizes: readonly (readonly [string, string])[] = [
    ['"size_bytes":9007199254740993', '9007199254740993'],
    ['"size_bytes":"9007199254740995"', '9007199254740995'],
    ['"size_mb":3', '3145728'],
    ['"size":"1.5GiB"', '1610612736'],
  ];
  for (const [index, [given, bytes]] of sizes.entries()) {
    it(`keeps a size exact to the byte: ${given}`, async () => {
      const name = `size-${index}`;
      const { body } = await create(`{"name":"${name}",${given}}`);
      await server.ended(String(body['operation_id']));
      const { text } = await send('GET', `/api/v1/volumes/${name}`);
      assert.match(text, new RegExp(`"size_bytes":${bytes}[,}]`));
    });
  }

  const refusals: readonly (readonly [string, string, number, string, string?])[] = [
    ['an unknown field', '{"name":"x","siz":"1GiB"}', 400, 'INVALID_REQUEST', 'siz'],
    ['no size', '{"name":"x"}', 400, 'INVALID_REQUEST', 'size_bytes'],
    ['two sizes', '{"name":"x","size":"1GiB","size_mb":3}', 400, 'INVALID_REQUEST'],
    ['a size below the least', '{"name":"x","size":"1"}', 400, 'INVALID_REQUEST', 'size'],
    ['a size beyond 64 bits', '{"name":"x","size":"16EiB"}', 400, 'INVALID_REQUEST', 'size'],
    ['a name with a slash', '{"name":"a/b","size":"1GiB"}', 400, 'INVALID_REQUEST', 'name'],
    ['a name with an at sign', '{"name":"a@b","size":"1GiB"}', 400, 'INVALID_REQUEST', 'name'],
    ['a name with NUL', '{"name":"a\\u0000","size":"1GiB"}', 400, 'INVALID_REQUEST', 'name'],
    ['a name with two dots', '{"name":"a..b","size":"1GiB"}', 400, 'INVALID_REQUEST', 'name'],
    ['an empty name', '{"name":"","size":"1GiB"}', 400, 'INVALID_REQUEST', 'name'],
    ['a name that is too long', `{"name":"${'a'.repeat(129)}","size":"1GiB"}`, 400, 'INVALID_REQUEST', 'name'],
    ['a body that is not JSON', '{bad', 400, 'INVALID_REQUEST', 'body'],
    ['a body that is too large', `{"name":"${'a'.repeat(1_100_000)}"}`, 413, 'INVALID_REQUEST'],
    ['a backend that is not there', '{"name":"x","size":"1GiB","backend":"nope"}', 422, 'BACKEND_ERROR', 'backend'],
    [
      'limits on a backend without them',
      '{"name":"x","size":"1GiB","backend":"file","qos":{"iops":5}}',
      422,
      'BACKEND_ERROR',
    ],
    ['an unknown snapshot', '{"name":"x","snapshot_id":"snap-1"}', 404, 'NOT_FOUND', 'snapshot_id'],
  ];
  for (const [what, body, status, code, field] of refusals) {
    it(`refuses ${what}, and says so`, async () => {
      const answer = await create(body);
      assert.equal(answer.status, status, answer.text);
      assert.equal(answer.body['code'], code);
      assert.match(String(answer.body['error']), /^[A-Z].*\.$/);
      if (field !== undefined) assert.equal((answer.body['details'] as { field: string }).field, field);
    });
  }

  it('refuses another media type with 415', async () => {
    assert.equal((await create('x', { 'content-type': 'text/plain' })).status, 415);
  });

  it('gives the first answer again for the same Idempotency-Key, and a conflict for another request', async () => {
    const key = { 'idempotency-key': 'key-1' };
    const first = await create('{"name":"once","size":"1GiB"}', key);
    const again = await create('{"name":"once","size":"1GiB"}', key);
    assert.equal(again.text, first.text);
    assert.equal(again.status, 202);
    assert.equal(again.headers.get('idempotent-replayed'), 'true');
    assert.equal((await create('{"name":"twice","size":"1GiB"}', key)).status, 409);
    assert.equal((await create('{"name":"thrice","size":"1GiB"}', { 'idempotency-key': 'k'.repeat(256) })).status, 400);
  });

  it('lists by cursor, none twice and none left out', async () => {
    for (let index = 0; index < 25; index++) {
      await server.client.call(contract.createVolume, { body: { name: `page-${index}`, size: '1MiB' } });
    }
    const names: string[] = [];
    let cursor: string | null = '';
    for (let pages = 0; cursor !== null && pages < 100; pages++) {
      const query: string = cursor === '' ? 'limit=4' : `limit=4&cursor=${cursor}`;
      const { body } = await send('GET', `/api/v1/volumes?${query}`);
      names.push(...(body['items'] as { name: string }[]).map(({ name }) => name));
      cursor = body['next_cursor'] as string | null;
    }
    assert.equal(new Set(names).size, names.length);
    for (let index = 0; index < 25; index++) assert.ok(names.includes(`page-${index}`));
    assert.equal((await send('GET', '/api/v1/volumes?cursor=no!')).status, 400);
    assert.equal((await send('GET', '/api/v1/volumes?limit=1001')).status, 400);
    assert.equal((await send('GET', '/api/v1/volumes?nonsense=1')).status, 400);
  });

  it('takes PUT and POST for attach and detach', async () => {
    const { body } = await create('{"name":"both","size":"1GiB"}');
    await server.ended(String(body['operation_id']));
    const attached = await send('PUT', '/api/v1/volumes/both/attach', '{"node_id":"n1","mode":"ro"}');
    await server.ended(String(attached.body['operation_id']));
    const volume = await server.volume('both');
    assert.equal(volume.node_id, 'n1');
    assert.equal(volume.attachments[0]?.mode, 'ro');
    const detached = await send('POST', '/api/v1/volumes/both/detach');
    assert.equal((await server.ended(String(detached.body['operation_id']))).status, 'completed');
    assert.equal((await send('POST', '/api/v1/volumes/both/detach')).status, 409);
  });

  it('serves its document, a page to read it, metrics and health', async () => {
    assert.equal((await send('GET', '/api/v1/openapi.json')).body['openapi'], '3.1.0');
    assert.equal((await send('GET', '/healthz')).body['status'], 'healthy');
    assert.equal((await send('GET', '/readyz')).body['ready'], true);
    for (const path of ['/swagger/index.html', '/swagger/swagger-ui-bundle.js', '/swagger/start.js']) {
      assert.equal((await fetch(server.url + path)).status, 200);
    }
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    assert.match(metrics, /holdfast_operations_total\{kind="volume.create",status="completed"\} \d+/);
  });

  it('refuses a foreign Host while there is no token', async () => {
    const { request } = await import('node:http');
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const asked = request(`${server.url}/api/v1/volumes`, { headers: { host: 'evil.example' } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      asked.on('error', reject).end();
    });
    assert.equal(status, 403);
  });
});

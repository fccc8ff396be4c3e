import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type BackendRig, runStatement } from './test-backends.ts';
import { backendServer } from './test-backend-server.ts';
import { anySignal } from './test-guard.ts';

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

describe('the API of backends', () => {
  let rig: BackendRig & { readonly url: string };
  before(async () => (rig = await backendServer()));
  after(() => rig[Symbol.asyncDispose]());

  async function ask(method: string, path: string, content?: unknown): Promise<Answer> {
    const response = await fetch(`${rig.url}/api/v1/backends${path}`, {
      method,
      ...(content === undefined
        ? {}
        : { body: JSON.stringify(content), headers: { 'content-type': 'application/json' } }),
      signal: AbortSignal.timeout(10_000),
    });
    const text = await response.text();
    return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as Answer['body'] };
  }

  test('adds one, and tells everything of it but the values of its secrets', async () => {
    const wanted = {
      name: 'disk1',
      kind: 'memory',
      config: { place: 'one' },
      secrets: { password: 'open sesame', user: 'ann' },
      labels: { zone: 'a' },
      quota_bytes: '10000000000',
      month_requests_max: 5,
    };
    const added = await ask('POST', '', wanted);
    assert.equal(added.status, 201, JSON.stringify(added.body));
    assert.doesNotMatch(JSON.stringify(added.body), /sesame/);
    const { health, created_at, updated_at, latency_ms, ...facts } = added.body;
    const { checked_at, ...status } = health as Record<string, unknown>;
    assert.ok(Date.parse(String(checked_at)) > 0 && created_at === updated_at && typeof latency_ms === 'number');
    assert.deepEqual(status, {
      status: 'healthy',
      detail: 'memory of this process',
      free_bytes: null,
      total_bytes: null,
    });
    assert.deepEqual(facts, {
      name: 'disk1',
      kind: 'memory',
      state: 'active',
      problem: null,
      config: { speed: 'fast', place: 'one' },
      secrets: ['password', 'user'],
      labels: { zone: 'a' },
      position: 1,
      quota_bytes: 10_000_000_000,
      object_bytes_max: null,
      used_bytes: 0,
      orphan_bytes: 0,
      claimed_bytes: 0,
      copies: { count: 0, is_exact: true },
      usage: {
        month: new Date().toISOString().slice(0, 7),
        requests: 1,
        ingress_bytes: 0,
        egress_bytes: 0,
        requests_max: 5,
        ingress_bytes_max: null,
        egress_bytes_max: null,
        over: [],
      },
      breaker: { state: 'closed', reason: null, retry_after_ms: 0 },
      drain: null,
      version: 1,
    });
    assert.equal((await ask('POST', '', wanted)).status, 409);
  });

  test('lists and gets them, and asks for health no more often than every few seconds', async () => {
    const calls = () => rig.places.at('one').calls.filter(({ verb }) => verb === 'health').length;
    const beforehand = calls();
    for (let turn = 0; turn < 3; turn++) {
      const list = await ask('GET', '');
      assert.deepEqual(
        (list.body['items'] as { name: string }[]).map(({ name }) => name),
        ['disk1'],
      );
    }
    assert.equal((await ask('GET', '/disk1')).body['name'], 'disk1');
    assert.equal(calls(), beforehand);
    assert.equal((await ask('GET', '/disk2')).status, 404);
  });

  test('changes one by compare-and-set', async () => {
    const changed = await ask('PUT', '/disk1', { version: 1, quota_bytes: null, secrets: { user: null } });
    assert.equal(changed.status, 200, JSON.stringify(changed.body));
    assert.deepEqual(
      [changed.body['quota_bytes'], changed.body['secrets'], changed.body['version']],
      [null, ['password'], 2],
    );
    assert.equal((await ask('PUT', '/disk1', { version: 1, position: 3 })).status, 409);
    assert.equal((await ask('PUT', '/disk1', { colour: 'red' })).status, 400);
    assert.equal((await ask('PUT', '/disk1', { config: { place: null } })).status, 400);
  });

  test('drains one and takes that back', async () => {
    const { state, drain } = (await ask('POST', '/disk1/drain')).body;
    assert.equal(state, 'draining');
    const { started_at: startedAt, ...progress } = drain as { started_at: string };
    assert.ok(Date.parse(startedAt) > 0);
    const nothing = { completed_at: null, bytes_left: 0, bytes_per_second: null, seconds_left: null, blocked: [] };
    assert.deepEqual(progress, nothing);
    assert.equal((await ask('DELETE', '/disk1/drain')).body['state'], 'active');
    assert.equal((await ask('POST', '/disk2/drain')).status, 404);
  });

  test('tests one', async () => {
    const { status, body } = await ask('POST', '/disk1/test');
    assert.equal(status, 200);
    assert.deepEqual([body['ok'], (body['steps'] as unknown[]).length], [true, 5]);
    rig.places.at('one').faults.push({ verb: 'put', effect: 'full', times: 1 });
    const failed = (await ask('POST', '/disk1/test', {})).body;
    assert.equal(failed['ok'], false);
    assert.match(
      JSON.stringify(failed['steps']),
      /"step":"write","ok":false,"took_ms":[\d.]+,"error":"The memory backend is full."/,
    );
  });

  test('tells of an open breaker, its reason, and limits that are reached', async () => {
    rig.places.at('one').faults.push({ verb: 'head', effect: 'unreachable', times: 5 });
    const { backend } = rig.registry.get('disk1')!;
    for (let turn = 0; turn < 5; turn++) await assert.rejects(backend.head('a', anySignal()));
    const { body } = await ask('GET', '/disk1');
    const { state, reason } = body['breaker'] as { state: string; reason: string };
    assert.notEqual(state, 'closed');
    assert.equal(reason, 'The memory backend cannot be reached.');
    assert.deepEqual((body['usage'] as { over: string[] }).over, ['requests']);
  });

  test('removes one only when nothing stands there', async () => {
    const copy = `insert into copies (content_id, part, backend, storage_key, size_bytes, stored_bytes, crc32, created_at)
      values ('c', 1, 'disk1', 'k', 1, 1, 0, 0)`;
    await rig.store.write(runStatement, { sql: copy, values: [] });
    const refused = await ask('DELETE', '/disk1');
    assert.equal(refused.status, 409);
    assert.deepEqual(refused.body['details'], { reason: 'in_use', copies: 1, intents: 0, cleanup: 0 });
    const unconfirmed = await ask('DELETE', '/disk1?purge=true');
    const { reason, copies } = unconfirmed.body['details'] as Record<string, unknown>;
    assert.deepEqual([unconfirmed.status, reason, copies], [409, 'unconfirmed', 1]);
    assert.equal((await ask('DELETE', '/disk1?purge=true&confirm=yes')).status, 400);
    await rig.store.write(runStatement, { sql: 'delete from copies', values: [] });
    assert.deepEqual(await ask('DELETE', '/disk1'), { status: 204, body: {} });
    assert.equal((await ask('GET', '/disk1')).status, 404);
  });

  test('tells why one could not be added', async () => {
    rig.places.at('two').faults.push({ verb: 'health', effect: 'unreachable', times: 1 });
    const { status, body } = await ask('POST', '', { name: 'disk2', kind: 'memory', config: { place: 'two' } });
    assert.equal(status, 503);
    assert.match(
      String(body['error']),
      /^Backend disk2 failed its test \(health\): The memory backend cannot be reached/,
    );
    assert.equal((await ask('POST', '', { name: 'disk2', kind: 'tape' })).status, 400);
  });
});

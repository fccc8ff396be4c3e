import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { onEveryStore } from '../../../test/support/stores.ts';
import { listEvents } from '../../kernel/events/queries.ts';
import { createAuthorizer } from '../../kernel/http/authorizer.ts';
import { createHttpServer } from '../../kernel/http/server.ts';
import { createIdSource } from '../../kernel/ids.ts';
import { toSecretKey } from '../../kernel/secrets/secret-key.ts';
import { createSealer } from '../../kernel/secrets/sealer.ts';
import { kernelMigration } from '../../kernel/store/migrations/0001_kernel.ts';
import { openStore } from '../../kernel/store/open.ts';
import type { Store } from '../../kernel/store/store.ts';
import { createLog } from '../../kernel/telemetry/log.ts';
import { createMetrics } from '../../kernel/telemetry/metrics.ts';
import { accessMigration } from '../migrations/0004_access.ts';
import { accessRoutes } from './routes.ts';
import { StoreAccess } from './store-access.ts';

const all = ['list', 'read', 'write', 'delete', 'tags'];

onEveryStore('the API of users and keys', (engine) => {
  let store: Store;
  let app: FastifyInstance;
  let url: string;
  let nowMs = Date.parse('2026-01-01T00:00:00Z');
  const sealer = createSealer(toSecretKey(Buffer.alloc(32, 1), 'test'));

  before(async () => {
    store = await openStore(await engine.fresh([kernelMigration, accessMigration]), { owner: true });
    const options = { log: createLog({ level: 'silent' }), metrics: createMetrics(), tracer: null };
    const clock = { nowMs: () => ++nowMs };
    app = createHttpServer(
      { ...options, authorizer: createAuthorizer(store) },
      accessRoutes({ store, sealer, newId: createIdSource(), clock }),
    );
    url = await app.listen({ host: '127.0.0.1', port: 0 });
  });
  after(async () => {
    await app.close();
    await store.close();
  });

  async function send(method: string, path: string, body?: unknown) {
    const response = await fetch(`${url}/api/v1${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      signal: AbortSignal.timeout(20_000),
    });
    const text = await response.text();
    const reply = (text === '' ? {} : JSON.parse(text)) as Record<string, string> & {
      items: Record<string, unknown>[];
    };
    return { status: response.status, headers: response.headers, text, reply };
  }
  const grantsOf = async (user: string) => (await send('GET', `/users/${user}/grants`)).reply.items;

  test('makes a key with nothing said: the user default, with every right', async () => {
    const { status, headers, reply } = await send('POST', '/keys', {});
    assert.equal(status, 201);
    assert.equal(headers.get('cache-control'), 'no-store');
    assert.deepEqual(Object.keys(reply).toSorted(), [
      'access_key',
      'created_at',
      'label',
      'last_used_at',
      'revoked_at',
      'secret',
      'user_id',
      'user_name',
    ]);
    assert.equal(reply['user_name'], 'default');
    assert.match(reply['user_id']!, /^usr-/);
    assert.deepEqual(await grantsOf('default'), [{ bucket: '*', permissions: all }]);
    const access = new StoreAccess({ store, sealer });
    assert.equal((await access.findKey(reply['access_key']!))?.secret, reply['secret']);
    await access.close();
    const again = await send('POST', '/keys', {});
    assert.equal(again.reply['user_id'], reply['user_id']);
  });

  test('shows a secret once: it is in no list and no event', async () => {
    const { reply } = await send('POST', '/keys', { label: 'shown-once' });
    const { text } = await send('GET', '/keys?limit=1000');
    assert.ok(text.includes(reply['access_key']!));
    assert.ok(!text.includes(reply['secret']!) && !text.includes('secret'));
    const events = JSON.stringify(await store.read((reader) => listEvents(reader, { limit: 1000 })));
    assert.ok(events.includes(reply['access_key']!) && !events.includes(reply['secret']!) && !events.includes('hfs1'));
  });

  test('makes a restricted key in one step, and leaves nothing behind when it fails', async () => {
    const made = await send('POST', '/keys', { label: 'backup', bucket: 'photos', permissions: ['delete', 'list'] });
    assert.equal(made.status, 201);
    assert.deepEqual(await grantsOf('backup'), [{ bucket: 'photos', permissions: ['list', 'delete'] }]);
    const whole = await send('POST', '/keys', { label: 'whole', bucket: 'photos' });
    assert.equal(whole.status, 201);
    assert.deepEqual(await grantsOf('whole'), [{ bucket: 'photos', permissions: all }]);
    const wrong = await send('POST', '/keys', { label: 'wrong', bucket: 'No Bucket' });
    assert.equal(wrong.status, 400);
    assert.equal((await send('GET', '/users/wrong')).status, 404);
  });

  test('gives a restricted key to no implied user that has rights already', async () => {
    await send('POST', '/keys', { label: 'wide' });
    const { status, reply } = await send('POST', '/keys', { label: 'wide', bucket: 'photos', permissions: ['read'] });
    assert.equal(status, 409);
    assert.match(reply['error']!, /would have its rights too/);
    assert.deepEqual(await grantsOf('wide'), [{ bucket: '*', permissions: all }]);
    assert.equal((await send('GET', '/keys?user=wide')).reply.items.length, 1);
  });

  test('gives an existing user another key without changing what it may do', async () => {
    assert.equal((await send('POST', '/users', { name: 'ann' })).status, 201);
    assert.equal((await send('POST', '/keys', { user: 'ann' })).status, 201);
    assert.deepEqual(await grantsOf('ann'), []);
    await send('POST', '/keys', { user: 'ann', permissions: ['read'] });
    assert.deepEqual(await grantsOf('ann'), [{ bucket: '*', permissions: ['read'] }]);
    assert.equal((await send('POST', '/keys', { user: 'nobody' })).status, 404);
  });

  test('makes, finds and lists users', async () => {
    const { status, reply } = await send('POST', '/users', { name: 'root@example.org', is_admin: true });
    assert.equal(status, 201);
    assert.deepEqual((await send('GET', `/users/${reply['id']}`)).reply, reply);
    assert.deepEqual((await send('GET', '/users/root@example.org')).reply, reply);
    assert.equal((await send('POST', '/users', { name: 'root@example.org' })).status, 409);
    assert.equal((await send('GET', '/users/nobody')).status, 404);
    const names: unknown[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const page = await send('GET', `/users?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
      assert.equal(page.status, 200);
      names.push(...page.reply.items.map(({ name }) => name));
      cursor = page.reply['next_cursor'] as string | null;
    }
    assert.ok(names.includes('root@example.org') && names.length > 2);
    assert.equal(new Set(names).size, names.length);
  });

  test('sets grants and takes them back', async () => {
    await send('POST', '/users', { name: 'bob' });
    const set = (bucket: string, permissions: unknown) => send('PUT', '/users/bob/grants', { bucket, permissions });
    assert.deepEqual((await set('photos', ['write', 'read', 'read'])).reply, {
      bucket: 'photos',
      permissions: ['read', 'write'],
    });
    await set('*', []);
    await set('photos', ['tags']);
    assert.deepEqual(await grantsOf('bob'), [
      { bucket: '*', permissions: [] },
      { bucket: 'photos', permissions: ['tags'] },
    ]);
    assert.equal((await set('photos', ['own'])).status, 400);
    assert.equal((await set('Photos!', ['read'])).status, 400);
    const removed = await send('DELETE', '/users/bob/grants/*');
    assert.deepEqual([removed.status, removed.text], [204, '']);
    assert.equal((await send('DELETE', '/users/bob/grants/*')).status, 404);
    assert.equal((await send('DELETE', '/users/nobody/grants/*')).status, 404);
    assert.deepEqual(await grantsOf('bob'), [{ bucket: 'photos', permissions: ['tags'] }]);
  });

  test('lists keys by page, oldest first, each once', async () => {
    const made: string[] = [];
    await send('POST', '/users', { name: 'many' });
    for (let index = 0; index < 7; index++) {
      made.push((await send('POST', '/keys', { user: 'many', label: `key ${index}` })).reply['access_key']!);
    }
    const seen: unknown[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const page = await send('GET', `/keys?user=many&limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`);
      seen.push(...page.reply.items.map(({ access_key }) => access_key));
      cursor = page.reply['next_cursor'] as string | null;
    }
    assert.deepEqual(seen, made);
    for (const cursor of [
      'nonsense',
      Buffer.from('x').toString('base64url'),
      Buffer.from('1:HF').toString('base64url'),
    ]) {
      assert.equal((await send('GET', `/keys?cursor=${cursor}`)).status, 400, cursor);
    }
  });

  test('revokes a key for good', async () => {
    const { reply } = await send('POST', '/keys', { label: 'short-lived' });
    const path = `/keys/${reply['access_key']}`;
    assert.equal((await send('DELETE', path)).status, 204);
    assert.equal((await send('DELETE', path)).status, 404);
    assert.equal((await send('DELETE', '/keys/nothing')).status, 404);
    const { items } = (await send('GET', '/keys?user=short-lived')).reply;
    assert.match(String(items[0]!['revoked_at']), /^2026-/);
  });

  test('refuses names that could stand for something else', async () => {
    for (const name of ['usr-1', 'a b', 'a/b', 'ü', 'x'.repeat(101), '']) {
      assert.equal((await send('POST', '/users', { name })).status, 400, name);
    }
    // A label may be any text, unless it is to name a user.
    assert.equal((await send('POST', '/keys', { label: 'my laptop' })).status, 400);
    assert.equal((await send('POST', '/keys', { label: 'my laptop', user: 'default' })).status, 201);
  });

  test('writes each change down with who made it, in order', async () => {
    const { reply } = await send('POST', '/keys', { label: 'audited', bucket: 'photos', permissions: ['read'] });
    await send('PUT', '/users/audited/grants', { bucket: 'photos', permissions: ['list'] });
    await send('DELETE', '/users/audited/grants/photos');
    await send('DELETE', `/keys/${reply['access_key']}`);
    const resource = `user:${reply['user_id']}`;
    const events = (await store.read((reader) => listEvents(reader, { resource, limit: 100 }))).toReversed();
    assert.deepEqual(
      events.map(({ seq, type, actor }) => [seq, type, actor]),
      ['user.create', 'grant.set', 'key.create', 'grant.set', 'grant.remove', 'key.revoke'].map((type, index) => [
        index + 1,
        type,
        'local',
      ]),
    );
    assert.deepEqual(events[3]!.data, {
      user_id: reply['user_id'],
      name: 'audited',
      bucket: 'photos',
      permissions: ['list'],
    });
  });

  test('makes one user when many ask for it at once', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => send('POST', '/keys', { label: 'crowd' })));
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([201]));
    assert.equal(new Set(answers.map(({ reply }) => reply['user_id'])).size, 1);
    const same = await Promise.all(Array.from({ length: 8 }, () => send('POST', '/users', { name: 'one' })));
    assert.deepEqual(same.map(({ status }) => status).toSorted(), [201, 409, 409, 409, 409, 409, 409, 409]);
  });
});

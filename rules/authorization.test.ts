import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { endpoints } from '../src/contract.ts';
import { createToken, newSecret } from '../src/kernel/auth/tokens.ts';
import { type Endpoint, type Role, roles } from '../src/kernel/http/contract.ts';
import { openStore } from '../src/kernel/store/open.ts';
import { migrations } from '../src/migrations.ts';
import { type TestServer, testServer } from '../test/support/server.ts';
import { authorization } from './authorization.cases.ts';

describe('authorization of every operation', () => {
  let server: TestServer;
  const secrets = new Map<Role, string>();

  before(async () => {
    server = await testServer();
    const settings = { databaseUrl: undefined, dataDirectory: server.directory, timeoutMs: 5_000, migrations };
    const store = await openStore(settings, { owner: false });
    for (const role of ['viewer', 'operator', 'admin'] as const) {
      const { secret, hash } = newSecret();
      secrets.set(role, secret);
      await store.write(createToken, { id: `tok-${role}`, name: role, role, hash, nowMs: Date.now() });
    }
    await store.close();
  });
  after(() => server[Symbol.asyncDispose]());

  it('has a case for every endpoint, and no other', () => {
    assert.deepEqual(Object.keys(authorization).toSorted(), endpoints.map(({ id }) => id).toSorted());
  });

  for (const endpoint of endpoints) {
    it(`${endpoint.id} needs ${authorization[endpoint.id]}`, async () => {
      const least = authorization[endpoint.id]!;
      const isPublic = least === 'public';
      assert.equal(await ask(endpoint, undefined), isPublic ? 'let in' : 401, 'without a token');
      assert.equal(await ask(endpoint, 'hf_wrong'), isPublic ? 'let in' : 401, 'with an unknown token');
      for (const [role, secret] of secrets) {
        const expected = roles.indexOf(role) >= roles.indexOf(least) ? 'let in' : 403;
        assert.equal(await ask(endpoint, secret), expected, `with the role ${role}`);
      }
    });
  }

  /** Sends a request that gets past authorization and no further, and gives 401, 403, or that it was let in. */
  async function ask(endpoint: Endpoint, token: string | undefined): Promise<401 | 403 | 'let in'> {
    const path = endpoint.path.replaceAll(/\{\w+\}/g, 'nothing');
    const response = await fetch(server.url + path, {
      method: endpoint.method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(endpoint.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(endpoint.body === undefined ? {} : { body: '{"no_such_field":1}' }),
      signal: AbortSignal.timeout(10_000),
    });
    await response.body?.cancel();
    return response.status === 401 || response.status === 403 ? response.status : 'let in';
  }
});

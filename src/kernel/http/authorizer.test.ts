import assert from 'node:assert/strict';
import { test } from 'node:test';
import { intercepted } from '../../../test/objects/intercepted-store.ts';
import { onEveryStore, openFresh } from '../../../test/support/stores.ts';
import { createToken, newSecret, revokeToken } from '../auth/tokens.ts';
import { HoldfastError } from '../errors/errors.ts';
import { createAuthorizer } from './authorizer.ts';

const away = new HoldfastError('unavailable', 'The store is unavailable.', { outcome: 'none' });

onEveryStore('tokens while the store is away', (engine) => {
  test('those that were used lately go on, others wait, and a revoked one ends when the store is back', async () => {
    const real = await openFresh(engine);
    const store = intercepted(real);
    const secrets = [newSecret(), newSecret()] as const;
    for (const [index, { hash }] of secrets.entries()) {
      await real.write(createToken, { id: `t${index}`, name: `t${index}`, role: 'operator', hash, nowMs: 0 });
    }
    const authorizer = createAuthorizer(store);
    const authorize = async (secret: string, role: 'viewer' | 'admin' = 'viewer') =>
      authorizer.authorize({ headers: { authorization: `Bearer ${secret}` } } as never, role);
    const [used, unused] = [secrets[0].secret, secrets[1].secret];
    assert.equal((await authorize(used)).name, 't0');

    store.onRead = () => Promise.reject(away);
    assert.equal((await authorize(used)).name, 't0');
    await assert.rejects(authorize(used, 'admin'), { kind: 'forbidden' });
    await assert.rejects(authorize(unused), away);
    await assert.rejects(authorize('hf_wrong'), away);

    await real.write(revokeToken, { reference: 't0', nowMs: 1 });
    store.onRead = async () => {};
    assert.equal((await authorize(unused)).name, 't1');
    await assert.rejects(authorize(used), { kind: 'unauthorized' });
    await real.close();
  });
});

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { contract } from '../../src/contract.ts';
import { interceptedBackend, watchCalls } from '../objects/intercepted-backend.ts';
import { testServer } from '../support/server.ts';
import { until } from '../support/wait.ts';

describe('metrics of backends of objects', () => {
  it('tell of bytes, quotas, what is owed and what waits, and of breakers', async () => {
    const watches = { near: watchCalls(), far: watchCalls() };
    const wrapObjectBackend = (name: string, real: Parameters<typeof interceptedBackend>[0]) =>
      interceptedBackend(real, watches[name as keyof typeof watches]);
    const flags = { 'object-retry-wait': '100ms', 'object-second-look': '100ms' };
    await using server = await testServer(flags, { wrapObjectBackend });
    const { client, url, directory } = server;
    const metric = async (name: string, labels = ''): Promise<number | null> => {
      const text = await (await fetch(`${url}/metrics`)).text();
      const line = text.split('\n').find((one) => one.startsWith(`holdfast_object_${name}${labels} `));
      return line === undefined ? null : Number(line.split(' ').at(-1));
    };
    const becomes = (name: string, labels: string, isRight: (value: number) => boolean) =>
      until(
        `${name}${labels} is right`,
        async () => {
          for (const keeper of ['object-replicator', 'object-cleanup']) {
            await client.call(contract.runKeeper, { params: { name: keeper } });
          }
          return isRight((await metric(name, labels)) ?? Number.NaN);
        },
        30_000,
      );
    const near = '{backend="near"}';
    const far = '{backend="far"}';
    const isOpen = '{backend="far",state="open"}';
    const isClosed = '{backend="far",state="closed"}';

    assert.equal(await metric('copies_owed'), 0);
    assert.equal(await metric('backend_used_bytes', near), null);
    for (const [name, quota] of [
      ['near', '1000000000'],
      ['far', null],
    ] as const) {
      const config = { path: join(directory, name) };
      const body = { name, kind: 'filesystem', config, ...(quota === null ? {} : { quota_bytes: quota }) };
      await client.call(contract.addObjectBackend, { body });
    }
    await client.call(contract.createBucket, { body: { name: 'metered', copies: 2, durability: 'one' } });
    const put = async (key: string) => {
      const response = await fetch(`${url}/api/v1/objects/metered/${key}`, { method: 'PUT', body: 'x'.repeat(1_000) });
      assert.equal(response.status, 201, await response.text());
    };
    await put('first');
    await becomes('backend_used_bytes', near, (bytes) => bytes >= 1_000);
    await becomes('backend_used_bytes', far, (bytes) => bytes >= 1_000);
    assert.equal(await metric('backend_quota_bytes', near), 1_000_000_000);
    assert.equal(await metric('backend_quota_bytes', far), null);
    assert.equal(await metric('backend_deletions_waiting', far), 0);
    assert.equal(await metric('backend_deletions_failed', far), 0);
    assert.deepEqual(
      [await metric('backend_breaker_state', isOpen), await metric('backend_breaker_state', isClosed)],
      [0, 1],
    );
    assert.ok((await metric('backend_latency_seconds', near))! >= 0);

    watches.far.fate = () => 'drop';
    for (let index = 0; (await metric('backend_breaker_state', isOpen)) !== 1; index++) {
      assert.ok(index < 50, 'the breaker stays closed');
      await put(`more-${index}`);
    }
    assert.equal(await metric('backend_breaker_state', isClosed), 0);
    const deleted = await fetch(`${url}/api/v1/objects/metered/first`, { method: 'DELETE' });
    assert.equal(deleted.status, 200, await deleted.text());
    await becomes('copies_owed', '', (owed) => owed > 0);
    await becomes('backend_deletions_waiting', far, (waiting) => waiting > 0);
    await becomes('backend_deletions_waiting', near, (waiting) => waiting === 0);

    watches.far.fate = () => 'pass';
    await becomes('backend_breaker_state', isClosed, (value) => value === 1);
    await becomes('copies_owed', '', (owed) => owed === 0);
    await becomes('backend_deletions_waiting', far, (waiting) => waiting === 0);
  });
});

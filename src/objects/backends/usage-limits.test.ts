import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openFresh, onEveryStore } from '../../../test/support/stores.ts';
import { until } from '../../../test/support/wait.ts';
import { createIdSource, systemClock } from '../../kernel/ids.ts';
import { defaultBucketSettings } from '../bucket.ts';
import { CapacityView } from '../writing/capacity.ts';
import { MemoryPlaces, backendMigrations, memoryAt, openBackends } from './test-backends.ts';
import { UsageBook } from './usage.ts';

onEveryStore('monthly limits of backends, with two gateways', (engine) => {
  test('let writes overflow to other backends, by what both have used', async () => {
    const store = await openFresh(engine, backendMigrations);
    const places = new MemoryPlaces();
    {
      await using one = await openBackends(store, { places });
      await using two = await openBackends(store, { places });
      await one.service.add(memoryAt('small', { position: 0, month_requests_max: 100 }), 'op');
      await one.service.add(memoryAt('large', { position: 1 }), 'op');
      await two.registry.refresh();
      const views = [one, two].map(({ registry }) => new CapacityView(store, registry));
      const ranked = () => Promise.all(views.map((view) => view.rank(defaultBucketSettings, 10)));
      assert.deepEqual(await ranked(), [
        ['small', 'large'],
        ['small', 'large'],
      ]);
      await Promise.all([one.usage.flush(), two.usage.flush()]);
      const before = one.usage.total('small').requests;
      // Neither has used up the limit by itself.
      one.usage.count('small', { requests: 50, ingressBytes: 0, egressBytes: 0 });
      two.usage.count('small', { requests: 50 - before, ingressBytes: 0, egressBytes: 0 });
      assert.deepEqual((await ranked())[0], ['small', 'large']);
      await two.usage.flush();
      await one.usage.flush();
      await two.usage.flush();
      assert.deepEqual(await ranked(), [['large'], ['large']]);
      assert.equal(one.usage.total('small').requests, 100);
    }
    await store.close();
  });

  test('are compared more often close to a limit', async () => {
    const store = await openFresh(engine, backendMigrations);
    const open = async () => {
      const onError = (error: unknown) => assert.fail(String(error));
      const shared = { store, clock: systemClock, newId: createIdSource(), onError };
      const book = new UsageBook({ ...shared, flushIntervalMs: 3_600_000 });
      await book.start();
      return book;
    };
    const [a, b] = [await open(), await open()];
    const limits = { requests: 100, ingress: null, egress: null };
    a.count('disk', { requests: 70, ingressBytes: 0, egressBytes: 0 });
    b.count('disk', { requests: 85, ingressBytes: 0, egressBytes: 0 });
    assert.deepEqual([a.isOver('disk', 'requests', limits), b.isOver('disk', 'requests', limits)], [false, false]);
    assert.equal(b.isOver('disk', 'requests', limits, 16), true, 'what is announced counts');
    await a.flush();
    await until('the other one has flushed by itself', async () => b.isOver('disk', 'requests', limits));
    await Promise.all([a.close(), b.close()]);
    await store.close();
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { put, remove } from '../../../test/objects/acts.ts';
import { labBackends, openLab } from '../../../test/objects/lab.ts';
import { onEveryStore } from '../../../test/support/stores.ts';
import { createMetrics } from '../../kernel/telemetry/metrics.ts';
import { measureBackends } from './standing.ts';
import type { ManagedRegistry } from './store-registry.ts';

onEveryStore('what metrics tell of backends', (engine) => {
  const none = { all: [] } as unknown as ManagedRegistry;

  test('is what the books say, and nothing while those cannot be read', async () => {
    const lab = await openLab(engine, labBackends(2, { quotaBytes: 5_000_000 }));
    await lab.bucket('safe', { copies: 2, durability: 'one' });
    await put(lab, 'safe', 'a', 'x'.repeat(1_000));
    await put(lab, 'safe', 'b', 'x'.repeat(1_000));
    await remove(lab, 'safe', 'a');
    lab.backends[1]!.backend.faults.push({ verb: 'put', times: Infinity, effect: 'unreachable' });
    await put(lab, 'safe', 'c', 'x');
    await lab.gateway.writer.settle();
    const problems: unknown[] = [];
    const text = async (store: Parameters<typeof measureBackends>[1]['store']) => {
      const metrics = createMetrics();
      measureBackends(metrics, { store, registry: none, onError: (error) => problems.push(error) });
      const all = await metrics.text();
      return all.split('\n').filter((line) => line.startsWith('holdfast_object_'));
    };
    const lines = await text(lab.store);
    const value = (name: string, backend: string) =>
      Number(
        lines.find((line) => line.startsWith(`holdfast_object_backend_${name}{backend="${backend}"} `))?.split(' ')[1],
      );
    for (const backend of ['m1', 'm2']) {
      assert.ok(value('used_bytes', backend) > 2_000);
      assert.equal(value('quota_bytes', backend), 5_000_000);
      assert.equal(value('deletions_failed', backend), 0);
    }
    assert.equal(value('deletions_waiting', 'm1'), 1);
    assert.ok(lines.includes('holdfast_object_copies_owed 1'), lines.join('\n'));
    assert.deepEqual(problems, []);

    const away = { read: () => Promise.reject(new Error('away')) } as never;
    assert.deepEqual(
      (await text(away)).map((line) => line.toLowerCase()),
      ['holdfast_object_copies_owed nan'],
    );
    assert.equal(problems.length, 1);
    await lab.close();
  });
});

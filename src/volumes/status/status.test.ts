import assert from 'node:assert/strict';
import { it } from 'node:test';
import { openFresh, onEveryStore } from '../../../test/support/stores.ts';
import type { Store } from '../../kernel/store/store.ts';
import { kernelMigration } from '../../kernel/store/migrations/0001_kernel.ts';
import { createMemoryBackend } from '../backends/memory/memory.ts';
import { createBackendRegistry } from '../backends/registry.ts';
import { volumesMigration } from '../migrations/0002_volumes.ts';
import { countOpen, countOperations, windowMs } from './counts.ts';
import { findHealth } from './health.ts';
import { type PastOperation, enterOperations } from './test-past-operations.ts';

const migrations = [kernelMigration, volumesMigration];
const nowMs = Date.UTC(2026, 10, 21, 12);
const minuteMs = 60_000;

function past(kind: string, status: string, createdAgoMs: number, tookMs: number | null): PastOperation {
  const createdMs = nowMs - createdAgoMs;
  return { kind, status, createdMs, finishedMs: tookMs === null ? null : createdMs + tookMs };
}

function healthOf(store: Store) {
  const backends = createBackendRegistry({ memory: () => createMemoryBackend() }, 'memory');
  return findHealth({ store, backends, timeoutMs: 20_000, deviceMonitor: null }, nowMs);
}

onEveryStore('health and counts', (engine) => {
  it('count what is open, and what ended within a day', async () => {
    const store = await openFresh(engine, migrations);
    const operations = [
      past('volume.create', 'completed', 60 * minuteMs, 100),
      past('volume.create', 'completed', 10 * minuteMs, 300),
      past('volume.create', 'failed', 10 * minuteMs, 5_000),
      past('volume.attach', 'cancelled', 10 * minuteMs, 5_000),
      past('volume.attach', 'executing', 31 * minuteMs, null),
      past('volume.attach', 'pending', 30 * minuteMs, null),
      // The last one began before the window and ended in it; the others are over for longer.
      past('volume.delete', 'completed', windowMs + 2_000, 1_000),
      past('volume.delete', 'failed', windowMs + 2_000, 1_000),
      past('volume.delete', 'completed', windowMs + 2_000, 2_000),
    ];
    await store.write(enterOperations, { operations });
    const counted = await store.read((reader) => countOperations(reader, nowMs));
    assert.deepEqual(counted.byType, { 'volume.create': 3, 'volume.attach': 3, 'volume.delete': 1 });
    assert.deepEqual(counted.byStatus, { pending: 1, executing: 1, completed: 3, failed: 1, cancelled: 1 });
    assert.equal(counted.completedMs, 2_400);
    const open = await store.read((reader) => countOpen(reader, nowMs));
    assert.deepEqual(open, { pending: 1, executing: 1, stale: 1, oldestMs: nowMs - 31 * minuteMs });

    const health = await healthOf(store);
    assert.deepEqual([health.status, health.cloudstack_health], ['healthy', 'disabled']);
    assert.equal(health.details['cloudstack'], 'There is no backend named "cloudstack".');
    assert.deepEqual(
      health.issues.map(({ type, count }) => [type, count]),
      [['stale_operations', 1]],
    );
    await store.close();
  });

  it('say that the database is away, and count nothing then', async () => {
    const store = await openFresh(engine, migrations);
    await store.close();
    const health = await healthOf(store);
    assert.deepEqual(
      [health.status, health.database_health, health.backend_health],
      ['unhealthy', 'unhealthy', 'healthy'],
    );
    assert.deepEqual([health.operation_queue, health.issues], [null, []]);
    assert.ok(health.details['database']!.length > 8);
  });
});

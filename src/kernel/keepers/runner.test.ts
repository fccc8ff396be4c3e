import assert from 'node:assert/strict';
import { it } from 'node:test';
import { onEveryStore, openFresh } from '../../../test/support/stores.ts';
import { until } from '../../../test/support/wait.ts';
import { registerReplica } from '../operations/ownership.ts';
import type { Store } from '../store/store.ts';
import type { Keeper } from './keeper.ts';
import { claimKeeper } from './lease.ts';
import { KeeperRunner } from './runner.ts';

const hour = 3_600_000;

/** A keeper that counts its runs and can be held in the middle of one. */
function countingKeeper(): Keeper & { runs: number; hold: Promise<void> | null } {
  const keeper = {
    name: 'counting',
    summary: 'Counts.',
    periodMs: hour,
    runs: 0,
    hold: null as Promise<void> | null,
    run: async () => {
      keeper.runs++;
      await keeper.hold;
      return `${keeper.runs} runs`;
    },
  };
  return keeper;
}

async function replica(store: Store, id: string): Promise<string> {
  await store.write(registerReplica, { id, ttlMs: store.exclusive ? null : 60_000, detail: 'test', nowMs: Date.now() });
  return id;
}

onEveryStore('keepers', (engine) => {
  it('runs at once, and says what it did', async () => {
    const store = await openFresh(engine);
    const keeper = countingKeeper();
    const runner = new KeeperRunner(store, () => 'rep-a');
    await replica(store, 'rep-a');
    runner.register(keeper);
    runner.start();
    const status = await until('the first result', async () =>
      (await runner.status()).find(({ lastResult }) => lastResult),
    );
    assert.equal(status.lastResult, '1 runs');
    assert.equal(status.lastError, null);
    await runner.stop();
    await store.close();
  });

  it('takes a lease over at once when its holder is no living replica', async () => {
    const store = await openFresh(engine);
    await replica(store, 'rep-b');
    const claim = { name: 'counting', leaseMs: 600_000, restMs: 0 };
    assert.equal(await store.write(claimKeeper, { ...claim, owner: 'rep-dead' }), true);
    assert.equal(await store.write(claimKeeper, { ...claim, owner: 'rep-b' }), true);
    assert.equal(await store.write(claimKeeper, { ...claim, owner: 'rep-c' }), false);
    await store.close();
  });

  it('runs again when it was signalled during a run', async () => {
    const store = await openFresh(engine);
    const keeper = countingKeeper();
    let release = () => {};
    keeper.hold = new Promise((resolve) => (release = resolve));
    const runner = new KeeperRunner(store, () => 'rep-a');
    await replica(store, 'rep-a');
    runner.register(keeper);
    runner.start();
    await until('the first run', () => keeper.runs === 1);
    runner.signal('counting');
    release();
    await until('the second run', () => keeper.runs === 2);
    await runner.stop();
    await store.close();
  });

  it('keeps the reason of a run that failed, and goes on', async () => {
    const store = await openFresh(engine);
    const keeper = { ...countingKeeper(), run: () => Promise.reject(new Error('the disk is away')) };
    const runner = new KeeperRunner(store, () => 'rep-a');
    await replica(store, 'rep-a');
    runner.register(keeper);
    runner.start();
    const status = await until('the reason', async () => (await runner.status()).find(({ lastError }) => lastError));
    assert.equal(status.lastError, 'the disk is away');
    runner.signal('counting');
    await until('another run', async () => (await runner.status())[0]!.runs >= 2);
    await runner.stop();
    await store.close();
  });
});

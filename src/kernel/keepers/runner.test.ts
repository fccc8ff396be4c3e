import assert from 'node:assert/strict';
import { it } from 'node:test';
import { onEveryStore, openFresh } from '../../../test/support/stores.ts';
import { until } from '../../../test/support/wait.ts';
import { registerReplica } from '../operations/ownership.ts';
import type { Store } from '../store/store.ts';
import type { Keeper } from './keeper.ts';
import { claimKeeper, extendKeeper, finishKeeper } from './lease.ts';
import { KeeperMark } from './mark.ts';
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

  it('rests while it is paused, on every replica, and runs at once when it is resumed', async () => {
    const store = await openFresh(engine);
    await replica(store, 'rep-a');
    const keeper = countingKeeper();
    let ended = '';
    const held: Keeper = {
      ...keeper,
      run: (signal, progress) =>
        new Promise((resolve) => {
          keeper.runs++;
          progress?.({ done: 1, total: 3 });
          signal.addEventListener('abort', () => resolve((ended = 'ended early')));
        }),
    };
    const runner = new KeeperRunner(store, () => 'rep-a');
    runner.register(held);
    runner.start();
    await until('the first run', () => keeper.runs === 1);
    await runner.pause('counting', 'ann');
    await runner.pause('counting', 'bob');
    const [status] = await until('its end', async () => {
      const all = await runner.status();
      return all[0]?.lastFinishedAtMs === null ? false : all;
    });
    assert.equal(ended, 'ended early');
    assert.equal(status!.paused?.by, 'ann');
    const claim = { name: 'counting', leaseMs: 600_000, restMs: 0 };
    assert.equal(await store.write(claimKeeper, { ...claim, owner: 'rep-a' }), false);
    await assert.rejects(runner.ask('counting'), { kind: 'conflict' });
    await runner.resume('counting');
    await until('the second run', () => keeper.runs === 2);
    assert.equal((await runner.status())[0]!.paused, null);
    await runner.stop();
    await store.close();
  });

  it('tells how far a run is, and nothing of it when it has ended', async () => {
    const store = await openFresh(engine);
    await replica(store, 'rep-a');
    const claim = { name: 'counting', owner: 'rep-a', leaseMs: 600_000 };
    const runner = new KeeperRunner(store, () => 'rep-a');
    runner.register(countingKeeper());
    await store.write(claimKeeper, { ...claim, restMs: 0 });
    await store.write(extendKeeper, { ...claim, progress: { done: 2, total: null, detail: 'b' } });
    assert.deepEqual((await runner.status())[0]!.progress, { done: 2, total: null, detail: 'b' });
    await store.write(finishKeeper, { name: 'counting', owner: 'rep-a', result: 'done', error: null });
    assert.equal((await runner.status())[0]!.progress, null);
    await store.close();
  });

  it('tells what it would do without running', async () => {
    const store = await openFresh(engine);
    const keeper = countingKeeper();
    const plan = { summary: 'One thing.', steps: [], count: 1, isExact: true, sizeBytes: 5, costs: [] };
    const runner = new KeeperRunner(store, () => 'rep-a');
    runner.register({ ...keeper, name: 'planning', plan: async () => plan });
    runner.register(keeper);
    assert.deepEqual(await runner.plan('planning'), plan);
    await assert.rejects(runner.plan('counting'), { kind: 'unsupported' });
    await assert.rejects(runner.plan('nobody'), { kind: 'not_found' });
    assert.equal(keeper.runs, 0);
    await store.close();
  });

  it('goes on where it was, whoever runs it next', async () => {
    const store = await openFresh(engine);
    assert.equal(await new KeeperMark(store, 'counting').load(), null);
    await new KeeperMark(store, 'counting').save('bucket/key');
    assert.equal(await new KeeperMark(store, 'counting').load(), 'bucket/key');
    await new KeeperMark(store, 'counting').save(null);
    assert.equal(await new KeeperMark(store, 'counting').load(), null);
    await store.close();
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEveryStore } from '../../../test/support/stores.ts';
import { until } from '../../../test/support/wait.ts';
import { Gate } from './test-store.ts';
import { Stage, type TestKind } from './test-stage.ts';

onEveryStore('sleeping and waiting', (engine) => {
  test('a sleep ends at the time fixed at its first call, also across a restart', async () => {
    await using stage = await Stage.open(engine);
    const log: string[] = [];
    const kind: TestKind = {
      name: 'test.sleeps',
      run: async (op) => {
        await op.step('before', () => void log.push('before'));
        await op.sleep('nap', 1_200);
        await op.step('after', () => void log.push('after'));
      },
    };
    const before = await stage.replica([kind]);
    const { id } = await before.accept(kind, { row: 'a' });
    const nap = await until('it sleeps', async () => (await before.steps(id)).find((step) => step.name === 'nap'));
    await before.crash();
    const after = await stage.replica([kind]);
    const operation = await after.ended(id);
    const ended = (await after.steps(id)).find((step) => step.name === 'nap')!;
    assert.deepEqual(log, ['before', 'after']);
    assert.equal(ended.startedAtMs, nap.startedAtMs);
    assert.ok(operation.finishedAtMs! >= nap.nextAttemptAtMs! - 2, 'it woke too early');
    // Had the restart begun the sleep anew, its end would lie a whole sleep after the restart.
    assert.equal(nap.nextAttemptAtMs, nap.startedAtMs + 1_200);
  });

  test('a finished sleep or wait is not repeated after a restart', async () => {
    await using stage = await Stage.open(engine);
    let isSecondRound = false;
    const kind: TestKind = {
      name: 'test.finished-waits',
      run: async (op) => {
        await op.sleep('nap', 1);
        const answer = await op.waitFor<string>('answer', 600_000);
        await op.step('last', () => (isSecondRound ? null : new Promise(() => {})));
        return answer;
      },
    };
    const before = await stage.replica([kind]);
    const { id } = await before.accept(kind, { row: 'a' });
    await before.engine.signal(id, 'answer', { size: 5 });
    await until('both are over', async () => {
      const steps = await before.steps(id);
      return steps.length === 2 && steps.every((step) => step.status === 'completed');
    });
    await before.crash();
    isSecondRound = true;
    const after = await stage.replica([kind]);
    assert.deepEqual((await after.ended(id)).output, { size: 5 });
  });

  test('a signal sent before anybody waits is not lost, and the first one wins', async () => {
    await using stage = await Stage.open(engine);
    const gate = new Gate();
    const kind: TestKind = {
      name: 'test.early',
      run: async (op) => {
        await op.step('first', () => gate.opened);
        return op.waitFor('answer', 600_000);
      },
    };
    const replica = await stage.replica([kind]);
    const { id } = await replica.accept(kind, { row: 'a' });
    await replica.engine.signal(id, 'answer', 'first');
    await replica.engine.signal(id, 'answer', 'second');
    gate.open();
    assert.equal((await replica.ended(id)).output, 'first');
    await replica.engine.signal(id, 'answer', 'after the end');
    await assert.rejects(replica.engine.signal('op-none', 'answer', 1), { kind: 'not_found' });
  });

  test('a wait for a signal survives a restart, and so does a signal sent while nobody ran', async () => {
    await using stage = await Stage.open(engine);
    const kind: TestKind = {
      name: 'test.waits',
      run: async (op) => [await op.waitFor('one', 600_000), await op.waitFor('two', 600_000)],
    };
    const before = await stage.replica([kind]);
    const { id } = await before.accept(kind, { row: 'a' });
    await until('it waits', async () => (await before.steps(id)).length === 1);
    await before.crash();
    const after = await stage.replica([]);
    await after.engine.signal(id, 'one', 1);
    await after.end(100);
    const last = await stage.replica([kind]);
    await last.engine.signal(id, 'two', 2);
    assert.deepEqual((await last.ended(id)).output, [1, 2]);
  });

  test('a wait that nobody answers gives null at its time, and its answer stays null', async () => {
    await using stage = await Stage.open(engine);
    const kind: TestKind = { name: 'test.unanswered', run: async (op) => [await op.waitFor('answer', 30)] };
    const replica = await stage.replica([kind]);
    const { id } = await replica.accept(kind, { row: 'a' });
    assert.deepEqual((await replica.ended(id)).output, [null]);
    const [step] = await replica.steps(id);
    assert.equal(step?.status, 'completed');
  });

  if (engine.server !== null) {
    test('a signal sent through another replica arrives', async () => {
      await using stage = await Stage.open(engine);
      const kind: TestKind = { name: 'test.waits', run: (op) => op.waitFor('answer', 600_000) };
      const [first, second] = [await stage.replica([kind]), await stage.replica([kind])];
      const { id } = await first.accept(kind, { row: 'a' });
      await until('it waits', async () => (await first.steps(id)).length === 1);
      await second.engine.signal(id, 'answer', 'from afar');
      assert.equal((await second.ended(id)).output, 'from afar');
      assert.deepEqual(first.finished, [id]);
    });
  }
});

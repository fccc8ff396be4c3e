import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEveryStore } from '../../../test/support/stores.ts';
import { until } from '../../../test/support/wait.ts';
import { HoldfastError } from '../errors/errors.ts';
import { call } from '../store/transaction.ts';
import type { Attempt, FailedAttempt, RetryPolicy } from './operation.ts';
import { Gate } from './test-store.ts';
import { Stage, state, type TestKind } from './test-stage.ts';
import { setState } from './test-transactions.ts';

const quick: RetryPolicy = { attemptsMax: 3, initialWaitMs: 5, multiplier: 1, waitMaxMs: 5 };
const never = () => new Promise<never>(() => {});

onEveryStore('steps', (engine) => {
  test('a finished step never runs again, and its result is what it was', async () => {
    await using stage = await Stage.open(engine);
    const ran: string[] = [];
    let isSecondRound = false;
    const kind: TestKind = {
      name: 'test.twice',
      run: async (op) => {
        const first = await op.step('first', () => ({ made: ran.push('first') }), { commit: () => state(op, 'made') });
        await op.step('second', () => (ran.push('second'), isSecondRound ? null : never()));
        return first;
      },
    };
    const before = await stage.replica([kind]);
    const { id } = await before.accept(kind, { row: 'a' });
    await until('the second step runs', () => ran.length === 2);
    await before.crash();
    isSecondRound = true;
    const after = await stage.replica([kind]);
    const operation = await after.ended(id);
    assert.deepEqual(operation.output, { made: 1 });
    assert.deepEqual(ran, ['first', 'second', 'second']);
    assert.deepEqual(await after.states('a'), ['accepted', 'made']);
    assert.equal(operation.takeovers, 1);
    assert.deepEqual(
      (await after.steps(id)).map((step) => [step.name, step.status, step.attempts]),
      [
        ['first', 'completed', 1],
        ['second', 'completed', 1],
      ],
    );
  });

  test('each attempt of a step gets the same token, its own number, and the fence of its owner', async () => {
    await using stage = await Stage.open(engine);
    const seen: Attempt[] = [];
    const kind: TestKind = {
      name: 'test.token',
      run: async (op) => {
        const fail = (attempt: Attempt) => {
          seen.push(attempt);
          if (attempt.attempt === 1) throw new HoldfastError('backend', 'Not yet.');
        };
        await op.step('one', fail, { policy: quick });
        await op.step('two', (attempt) => void seen.push(attempt));
      },
    };
    const replica = await stage.replica([kind]);
    const { id, run } = await replica.accept(kind, { row: 'a' });
    await replica.ended(id);
    assert.deepEqual(
      seen.map(({ attempt, token, fence }) => ({ attempt, token, fence })),
      [
        { attempt: 1, token: `${id}/one`, fence: run!.fence },
        { attempt: 2, token: `${id}/one`, fence: run!.fence },
        { attempt: 1, token: `${id}/two`, fence: run!.fence },
      ],
    );
  });

  test('after the last attempt the operation fails, and the domain is told in each attempt and at the end', async () => {
    await using stage = await Stage.open(engine);
    const failures: FailedAttempt[] = [];
    const kind: TestKind = {
      name: 'test.fails',
      run: async (op) => {
        const fail = () => Promise.reject(new HoldfastError('backend', 'The disk is gone.', { disk: 1 }));
        await op.step('one', fail, {
          policy: quick,
          onFailedAttempt: (failure) => (failures.push(failure), state(op, `failed ${failure.attempt}`)),
          onRetry: (attempt) => state(op, `trying ${attempt}`),
        });
      },
      onFailed: (op, error) => state(op, `ended: ${error.message}`),
    };
    const replica = await stage.replica([kind]);
    const { id } = await replica.accept(kind, { row: 'a' });
    const operation = await replica.ended(id);
    assert.equal(operation.status, 'failed');
    assert.deepEqual(operation.error, { kind: 'backend', message: 'The disk is gone.', details: { disk: 1 } });
    assert.deepEqual(await replica.states('a'), [
      'accepted',
      'failed 1',
      'trying 2',
      'failed 2',
      'trying 3',
      'failed 3',
      'ended: The disk is gone.',
    ]);
    assert.deepEqual(
      failures.map((failure) => [failure.attempt, failure.isFinal, failure.nextAttemptAtMs === null]),
      [
        [1, false, false],
        [2, false, false],
        [3, true, true],
      ],
    );
    assert.equal((await replica.lock('a')).operation_id, null);
  });

  test('an error that will not pass by itself is not tried again', async () => {
    await using stage = await Stage.open(engine);
    let attempts = 0;
    const kind: TestKind = {
      name: 'test.conflict',
      run: async (op) => {
        const fail = () => {
          attempts++;
          throw new HoldfastError('conflict', 'It is in use.');
        };
        await op.step('one', fail, { policy: quick });
      },
    };
    const replica = await stage.replica([kind]);
    const operation = await replica.ended((await replica.accept(kind, { row: 'a' })).id);
    assert.equal(operation.error?.kind, 'conflict');
    assert.equal(attempts, 1);
  });

  test('attempt counts and the wait before the next attempt survive a restart', async () => {
    await using stage = await Stage.open(engine);
    const attempts: { attempt: number; atMs: number }[] = [];
    const policy = { attemptsMax: 3, initialWaitMs: 700, multiplier: 1, waitMaxMs: 700 };
    const kind: TestKind = {
      name: 'test.backoff',
      run: async (op) => {
        const fail = ({ attempt }: Attempt) => {
          attempts.push({ attempt, atMs: Date.now() });
          throw new HoldfastError('unavailable', 'Still away.');
        };
        await op.step('one', fail, { policy, onFailedAttempt: ({ attempt }) => state(op, `failed ${attempt}`) });
      },
    };
    const before = await stage.replica([kind]);
    const { id } = await before.accept(kind, { row: 'a' });
    const [step] = await until('the first attempt is journalled', async () => {
      const steps = await before.steps(id);
      return steps.length > 0 && steps;
    });
    await before.crash();
    const after = await stage.replica([kind]);
    const operation = await after.ended(id);
    assert.equal(operation.status, 'failed');
    assert.deepEqual(
      attempts.map(({ attempt }) => attempt),
      [1, 2, 3],
    );
    // A timer may fire a millisecond early by the wall clock.
    assert.ok(attempts[1]!.atMs >= step!.nextAttemptAtMs! - 2, 'the wait was cut short by the restart');
    assert.deepEqual(await after.states('a'), ['accepted', 'failed 1', 'failed 2', 'failed 3']);
  });

  test('a step that has failed for good stays failed after a restart: it is not tried again', async () => {
    await using stage = await Stage.open(engine);
    let attempts = 0;
    let isSecondRound = false;
    const kind: TestKind = {
      name: 'test.plan-b',
      run: async (op) => {
        const fail = () => {
          attempts++;
          throw new HoldfastError('conflict', 'Plan A does not work.');
        };
        const message = await op.step('plan-a', fail).catch((error: Error) => error.message);
        await op.step('plan-b', () => (isSecondRound ? null : never()));
        return message;
      },
    };
    const before = await stage.replica([kind]);
    const { id } = await before.accept(kind, { row: 'a' });
    await until('plan A failed', async () => (await before.steps(id)).some((step) => step.status === 'failed'));
    await before.crash();
    isSecondRound = true;
    const after = await stage.replica([kind]);
    assert.equal((await after.ended(id)).output, 'Plan A does not work.');
    assert.equal(attempts, 1);
  });

  test('a result and its commit are in one transaction: when the commit throws, neither is there', async () => {
    await using stage = await Stage.open(engine);
    const kind: TestKind = {
      name: 'test.commit-throws',
      run: async (op) => {
        await op.step('one', () => 1, { commit: () => refused(op, 'one') });
      },
      onFailed: (op) => state(op, 'failed'),
    };
    const replica = await stage.replica([kind]);
    const { id } = await replica.accept(kind, { row: 'a' });
    const operation = await replica.ended(id);
    assert.deepEqual(operation.error, { kind: 'conflict', message: 'The domain refuses.' });
    assert.deepEqual(await replica.steps(id), []);
    assert.deepEqual(await replica.states('a'), ['accepted', 'failed']);
  });

  test('a failed attempt and its onFailedAttempt are in one transaction, a retry and its onRetry too', async () => {
    await using stage = await Stage.open(engine);
    const fail = () => Promise.reject(new HoldfastError('backend', 'Not yet.'));
    const onFailed: TestKind = {
      name: 'test.on-failed-throws',
      run: (op) => op.step('one', fail, { policy: quick, onFailedAttempt: () => refused(op, 'one') }),
    };
    const onRetry: TestKind = {
      name: 'test.on-retry-throws',
      run: (op) => op.step('one', fail, { policy: quick, onRetry: () => refused(op, 'one') }),
    };
    const replica = await stage.replica([onFailed, onRetry]);
    const first = await replica.ended((await replica.accept(onFailed, { row: 'a' })).id);
    assert.equal(first.error?.message, 'The domain refuses.');
    assert.deepEqual(await replica.steps(first.id), []);
    assert.deepEqual(await replica.states('a'), ['accepted']);
    const second = await replica.ended((await replica.accept(onRetry, { row: 'b' })).id);
    assert.equal(second.error?.message, 'The domain refuses.');
    const [step] = await replica.steps(second.id);
    assert.ok(step?.attempts === 1 && step.nextAttemptAtMs !== null, 'the retry was journalled without its commit');
    assert.deepEqual(await replica.states('b'), ['accepted']);
  });

  test('an attempt past its deadline is aborted and its outcome unknown; one that answers after all is believed', async () => {
    await using stage = await Stage.open(engine);
    const aborted = (signal: AbortSignal) => new Promise((resolve) => signal.addEventListener('abort', resolve));
    const kind: TestKind = {
      name: 'test.deadline',
      run: async (op) => {
        const late = async ({ signal }: Attempt) => {
          await aborted(signal);
          return 'late, but done';
        };
        const answer = await op.step('late', late, { timeoutMs: 30 });
        const giveUp = async ({ signal }: Attempt) => {
          await aborted(signal);
          signal.throwIfAborted();
        };
        const once = { ...quick, attemptsMax: 1 };
        const error = await op
          .step('gives-up', giveUp, { timeoutMs: 30, policy: once })
          .catch((e: HoldfastError) => e.kind);
        return [answer, error];
      },
    };
    const replica = await stage.replica([kind]);
    const operation = await replica.ended((await replica.accept(kind, { row: 'a' })).id);
    assert.deepEqual(operation.output, ['late, but done', 'unavailable']);
  });

  test('what is not JSON, or a name used twice, fails the operation and tells the domain; nothing stays stuck', async () => {
    await using stage = await Stage.open(engine);
    const onFailed: TestKind['onFailed'] = (op) => state(op, 'failed');
    const kinds: TestKind[] = [
      { name: 'test.step-not-json', onFailed, run: (op) => op.step('one', () => 1n) },
      { name: 'test.output-not-json', onFailed, run: async () => ({ size: 1n }) },
      {
        name: 'test.same-name',
        onFailed,
        run: async (op) => [await op.step('one', () => 1), await op.step('one', () => 2)],
      },
    ];
    const replica = await stage.replica(kinds);
    for (const kind of kinds) {
      const operation = await replica.ended((await replica.accept(kind, { row: kind.name })).id, 4_000);
      assert.equal(operation.status, 'failed', kind.name);
      assert.equal(operation.error?.kind, 'internal', kind.name);
      assert.deepEqual(await replica.states(kind.name), ['accepted', 'failed']);
    }
  });

  test('steps of one operation may run side by side, and a stop aborts all of them', async () => {
    await using stage = await Stage.open(engine);
    const signals: AbortSignal[] = [];
    const gate = new Gate();
    const kind: TestKind = {
      name: 'test.parallel',
      run: async (op) => {
        const body = async ({ signal }: Attempt) => {
          signals.push(signal);
          await Promise.race([gate.opened, new Promise((resolve) => signal.addEventListener('abort', resolve))]);
          signal.throwIfAborted();
        };
        await Promise.all([op.step('left', body), op.step('right', body), op.step('quick', () => 1)]);
      },
      cancel: async () => null,
    };
    const replica = await stage.replica([kind]);
    const { id } = await replica.accept(kind, { row: 'a' });
    await until('both run', () => signals.length === 2);
    await replica.engine.cancel(id);
    assert.deepEqual(
      signals.map((signal) => signal.aborted),
      [true, true],
    );
    assert.equal((await replica.ended(id)).status, 'cancelled');
    gate.open();
  });
});

function refused(op: Parameters<typeof state>[0], name: string) {
  const refusal = { kind: 'conflict', message: 'The domain refuses.' } as const;
  return call(setState, { row: op.input.row, state: name, operationId: op.id, refusal });
}

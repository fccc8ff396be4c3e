import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEveryStore } from '../../../test/support/stores.ts';
import { until } from '../../../test/support/wait.ts';
import { HoldfastError } from '../errors/errors.ts';
import { call } from '../store/transaction.ts';
import { beginRetry, completeStep, failAttempt } from './journal.ts';
import type { Attempt, RetryPolicy } from './operation.ts';
import { Gate, type SeenWrite, unavailable } from './test-store.ts';
import { Stage, state, type TestKind } from './test-stage.ts';
import { setState } from './test-transactions.ts';

const quick: RetryPolicy = { attemptsMax: 3, initialWaitMs: 5, multiplier: 1, waitMaxMs: 5 };
const expectedStates = ['accepted', 'one failed', 'one again', 'one done', 'two done'];

/** Writes every kind of journal record there is; its effects are counted in `ran`. */
function everyRecord(ran: string[]): TestKind {
  return {
    name: 'test.every-record',
    run: async (op) => {
      const failOnce = ({ attempt }: Attempt) => {
        ran.push(`one ${attempt}`);
        if (attempt === 1) throw new HoldfastError('backend', 'Not yet.');
        return attempt;
      };
      await op.step('one', failOnce, {
        policy: quick,
        onFailedAttempt: () => state(op, 'one failed'),
        onRetry: () => state(op, 'one again'),
        commit: () => state(op, 'one done'),
      });
      await op.sleep('nap', 5);
      await op.waitFor('signal', 20);
      await op.step('two', () => void ran.push('two'), { commit: () => state(op, 'two done') });
      return 'all done';
    },
    onFailed: (op) => state(op, 'failed'),
  };
}

const journalWrites = new Set(['completeStep', 'failAttempt', 'beginRetry', 'beginSleep', 'finishOperation']);

/** Throws at the first sight of each different journal write. */
function failFirst(outcome: 'none' | 'unknown'): { fault: (write: SeenWrite) => void; seen: Set<string> } {
  const seen = new Set<string>();
  const fault = ({ name, params }: SeenWrite) => {
    const key = `${name} ${(params as { name?: string }).name ?? ''}`;
    if (!journalWrites.has(name) || seen.has(key)) return;
    seen.add(key);
    throw unavailable(outcome);
  };
  return { fault, seen };
}

onEveryStore('the journal', (engine) => {
  test('a failed journal write is never a failed step: each is repeated, no body runs again', async () => {
    await using stage = await Stage.open(engine);
    const ran: string[] = [];
    const kind = everyRecord(ran);
    const replica = await stage.replica([kind]);
    const { fault, seen } = failFirst('none');
    replica.store.beforeWrite = fault;
    const operation = await replica.ended((await replica.accept(kind, { row: 'a' })).id);
    assert.equal(operation.status, 'completed');
    assert.equal(seen.size, 9);
    assert.deepEqual(ran, ['one 1', 'one 2', 'two']);
    assert.deepEqual(await replica.states('a'), expectedStates);
  });

  test('a journal write that was committed but whose answer was lost changes nothing the second time', async () => {
    await using stage = await Stage.open(engine);
    const ran: string[] = [];
    const kind = everyRecord(ran);
    const replica = await stage.replica([kind]);
    const { fault, seen } = failFirst('unknown');
    replica.store.afterWrite = fault;
    const { id } = await replica.accept(kind, { row: 'a' });
    const waiting = await replica.accept(kind, { row: 'a' });
    assert.equal(waiting.run, null);
    const operation = await replica.ended(id);
    assert.equal(operation.status, 'completed');
    assert.deepEqual(
      (await replica.steps(id)).map((step) => step.attempts),
      [2, 1, 1, 1],
    );
    // The hand-over was in the lost answer; the next one must not be forgotten, at the latest when ours are audited.
    await until('the next one ends too', async () => {
      await replica.engine.adoptNow();
      return (await replica.get(waiting.id))!.status === 'completed';
    });
    assert.equal(seen.size, 9);
    assert.deepEqual(ran, ['one 1', 'one 2', 'two', 'one 1', 'one 2', 'two']);
    assert.deepEqual(
      (await replica.states('a')).filter((name) => name !== 'accepted'),
      [...expectedStates.slice(1), ...expectedStates.slice(1)],
    );
  });

  test('a store that cannot be read while an operation waits for a signal does not fail it', async () => {
    await using stage = await Stage.open(engine);
    const kind: TestKind = { name: 'test.waits', run: (op) => op.waitFor('go', 60_000) };
    const replica = await stage.replica([kind]);
    let failures = 0;
    const { id } = await replica.accept(kind, { row: 'a' });
    await until('it waits', async () => (await replica.steps(id)).length === 1);
    replica.store.beforeRead = () => {
      if (failures++ < 3) throw unavailable('none');
    };
    await until('reads fail', async () => {
      await replica.engine.signal(id, 'go', 'now');
      return failures >= 3;
    });
    const operation = await replica.ended(id);
    assert.deepEqual([operation.status, operation.output], ['completed', 'now']);
  });

  test('a domain that refuses a commit as unavailable is believed, and not taken for the store', async () => {
    await using stage = await Stage.open(engine);
    const refusal = { kind: 'unavailable', message: 'The domain says no.' } as const;
    const kind: TestKind = {
      name: 'test.domain-unavailable',
      run: async (op) => {
        const params = { row: op.input.row, state: 'x', operationId: op.id, refusal };
        await op.step('one', () => 1, { commit: () => call(setState, params) });
      },
    };
    const replica = await stage.replica([kind]);
    const operation = await replica.ended((await replica.accept(kind, { row: 'a' })).id, 4_000);
    assert.deepEqual(operation.error, refusal);
  });

  test('a late "running" marker cannot overwrite done, nor a late failure', async () => {
    await using stage = await Stage.open(engine);
    const gate = new Gate();
    const kind: TestKind = {
      name: 'test.late',
      run: async (op) => {
        const failOnce = ({ attempt }: Attempt) => {
          if (attempt === 1) throw new HoldfastError('backend', 'Not yet.');
        };
        await op.step('one', failOnce, {
          policy: { ...quick, initialWaitMs: 0 },
          onRetry: () => state(op, 'again'),
          commit: () => state(op, 'done'),
        });
        await op.step('two', () => gate.opened);
      },
    };
    const replica = await stage.replica([kind]);
    const writes: SeenWrite[] = [];
    replica.store.beforeWrite = (write) => void writes.push(write);
    const { id } = await replica.accept(kind, { row: 'a' });
    await until('step one is done', async () => (await replica.states('a')).includes('done'));
    const before = await replica.steps(id);
    // The very writes of before arrive once more, as from a connection that had been stuck.
    const sent = writes.filter((write) => write.name !== 'acceptTest');
    assert.deepEqual(
      sent.map((write) => write.name),
      ['failAttempt', 'beginRetry', 'completeStep'],
    );
    for (const target of [failAttempt, beginRetry, completeStep]) {
      const { params } = sent.find((write) => write.name === target.name)!;
      assert.equal(await replica.store.inner.write(target as typeof failAttempt, params as never), 'written');
    }
    assert.deepEqual(await replica.steps(id), before);
    assert.deepEqual(await replica.states('a'), ['accepted', 'again', 'done']);
    gate.open();
    assert.equal((await replica.ended(id)).status, 'completed');
  });

  test('a late "trying again" of an earlier attempt changes nothing once the next attempt has failed', async () => {
    await using stage = await Stage.open(engine);
    const kind: TestKind = {
      name: 'test.late-retry',
      run: async (op) => {
        const fail = () => Promise.reject(new HoldfastError('backend', 'Not yet.'));
        const policy = { attemptsMax: 5, initialWaitMs: 1, multiplier: 100_000, waitMaxMs: 60_000 };
        await op.step('one', fail, {
          policy,
          onRetry: (attempt) => state(op, `trying ${attempt}`),
          onFailedAttempt: ({ attempt }) => state(op, `failed ${attempt}`),
        });
      },
    };
    const replica = await stage.replica([kind]);
    const writes: SeenWrite[] = [];
    replica.store.beforeWrite = (write) => void writes.push(write);
    const { id } = await replica.accept(kind, { row: 'a' });
    await until('the second attempt failed', async () => (await replica.states('a')).includes('failed 2'));
    const before = await replica.steps(id);
    const late = writes.find((write) => write.name === 'beginRetry')!;
    await replica.store.inner.write(beginRetry, late.params as never);
    assert.deepEqual(await replica.steps(id), before);
    assert.deepEqual(await replica.states('a'), ['accepted', 'failed 1', 'trying 2', 'failed 2']);
  });

  if (engine.server !== null) {
    test('a restart of PostgreSQL in mid-run fails no operation and runs no finished step again', async () => {
      await using stage = await Stage.open(engine);
      const ran = new Map<string, number>();
      const kind: TestKind = {
        name: 'test.restart',
        run: async (op) => {
          for (const name of ['one', 'two', 'three', 'four']) {
            const body = async ({ token }: Attempt) => {
              ran.set(token, (ran.get(token) ?? 0) + 1);
              await new Promise((resolve) => setTimeout(resolve, 5));
            };
            await op.step(name, body, { commit: () => state(op, name) });
          }
          return op.waitFor('never', 50);
        },
      };
      const replica = await stage.replica([kind]);
      const ids: string[] = [];
      let isOver = false;
      const refused: unknown[] = [];
      const load = Array.from({ length: 8 }, async (_, lane) => {
        for (let count = 0; !isOver; count++) {
          const row = `${lane}-${count % 3}`;
          await replica.accept(kind, { row }).then(
            ({ id }) => ids.push(id),
            (error: unknown) => refused.push(error),
          );
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
      });
      await until('operations are under way', () => ids.length > 50);
      await (await engine.server!()).restart();
      const before = ids.length;
      await until('operations are accepted again', () => ids.length > before + 50);
      isOver = true;
      await Promise.all(load);
      for (const id of ids) assert.equal((await replica.ended(id)).status, 'completed');
      for (const [token, count] of ran) assert.equal(count, 1, token);
      for (const error of refused)
        assert.ok(error instanceof HoldfastError && error.kind === 'unavailable', String(error));
      assert.deepEqual(replica.leasesLost, []);
    });
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEveryStore } from '../../../test/support/stores.ts';
import { until } from '../../../test/support/wait.ts';
import { HoldfastError } from '../errors/errors.ts';
import type { Attempt } from './operation.ts';
import { Gate } from './test-store.ts';
import { Stage, state, type TestKind } from './test-stage.ts';

/** Works until told to stop, and then takes its time: it settles only when the gate opens. */
function slowToSettle(gate: Gate, log: string[]): TestKind {
  return {
    name: 'test.slow',
    run: async (op) => {
      await op.step('work', async ({ signal }: Attempt) => {
        log.push('working');
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        log.push('aborted');
        await gate.opened;
        log.push('settled');
        signal.throwIfAborted();
      });
    },
    cancel: async (op) => {
      await op.step('clean', () => void log.push('cleaned'), { commit: () => state(op, 'cleaned') });
      return state(op, 'cancelled');
    },
    onCancelledBeforeStart: (op) => state(op, 'struck off'),
  };
}

function quickKind(log: string[]): TestKind {
  return {
    name: 'test.quick',
    run: async (op) => void (await op.step('one', () => void log.push(`quick ${op.id}`))),
    onCancelledBeforeStart: (op) => state(op, 'struck off'),
  };
}

onEveryStore('cancelling', (engine) => {
  test('frees the resource only after the step has settled and the clean-up is done', async () => {
    await using stage = await Stage.open(engine);
    const gate = new Gate();
    const log: string[] = [];
    const [slow, quick] = [slowToSettle(gate, log), quickKind(log)];
    const replica = await stage.replica([slow, quick]);
    const { id } = await replica.accept(slow, { row: 'a' });
    await until('it works', () => log.includes('working'));
    const next = await replica.accept(quick, { row: 'a' });
    const asked = await replica.engine.cancel(id);
    assert.deepEqual([asked.status, asked.isCancelRequested], ['executing', true]);
    await until('the signal aborted', () => log.includes('aborted'));
    // Another operation comes and goes: time enough for a hand-over that must not happen yet.
    await replica.ended((await replica.accept(quick, { row: 'elsewhere' })).id);
    assert.deepEqual(await replica.lock('a'), { operation_id: id, fence: 1, waiting: 1 });
    assert.equal((await replica.get(next.id))!.status, 'pending');
    gate.open();
    assert.equal((await replica.ended(id)).status, 'cancelled');
    assert.equal((await replica.ended(next.id)).status, 'completed');
    const order = log.filter((entry) => !entry.startsWith('quick') || entry.endsWith(next.id));
    assert.deepEqual(order, ['working', 'aborted', 'settled', 'cleaned', `quick ${next.id}`]);
    assert.deepEqual(await replica.states('a'), ['accepted', 'accepted', 'cleaned', 'cancelled']);
  });

  test('one that waits in line ends at once, with the domain told, and the line goes on without it', async () => {
    await using stage = await Stage.open(engine);
    const gate = new Gate();
    const log: string[] = [];
    const [slow, quick] = [slowToSettle(gate, log), quickKind(log)];
    const replica = await stage.replica([slow, quick]);
    const first = await replica.accept(slow, { row: 'a' });
    const second = await replica.accept(quick, { row: 'a' });
    const third = await replica.accept(quick, { row: 'a' });
    assert.equal((await replica.engine.cancel(second.id)).status, 'cancelled');
    assert.equal((await replica.engine.cancel(second.id)).status, 'cancelled');
    assert.equal((await replica.lock('a')).waiting, 1);
    gate.open();
    await replica.engine.cancel(first.id);
    await replica.ended(third.id);
    assert.deepEqual(
      log.filter((entry) => entry.startsWith('quick')),
      [`quick ${third.id}`],
    );
    assert.ok((await replica.states('a')).includes('struck off'));
    assert.deepEqual(await replica.lock('a'), { operation_id: null, fence: 2, waiting: 0 });
  });

  test('ends the wait for a retry, a sleep and a wait for a signal', async () => {
    await using stage = await Stage.open(engine);
    const fail = () => Promise.reject(new HoldfastError('backend', 'Not yet.'));
    const policy = { attemptsMax: 9, initialWaitMs: 600_000, multiplier: 1, waitMaxMs: 600_000 };
    const cancel: TestKind['cancel'] = async (op) => state(op, 'cancelled');
    const kinds: TestKind[] = [
      { name: 'test.retries', cancel, run: (op) => op.step('one', fail, { policy }) },
      { name: 'test.sleeps', cancel, run: (op) => op.sleep('one', 600_000) },
      { name: 'test.waits', cancel, run: (op) => op.waitFor('one', 600_000) },
    ];
    const replica = await stage.replica(kinds);
    for (const kind of kinds) {
      const { id } = await replica.accept(kind, { row: kind.name });
      await until('it waits', async () => (await replica.steps(id)).length === 1);
      await replica.engine.cancel(id);
      assert.equal((await replica.ended(id)).status, 'cancelled', kind.name);
      assert.deepEqual(await replica.states(kind.name), ['accepted', 'cancelled']);
    }
  });

  test('a second cancel changes nothing: it does not stop the clean-up of the first', async () => {
    await using stage = await Stage.open(engine);
    const gate = new Gate();
    const log: string[] = [];
    const kind: TestKind = {
      name: 'test.careful',
      run: (op) => op.sleep('long', 600_000),
      cancel: async (op) => {
        const clean = async ({ signal }: Attempt) => {
          log.push('cleaning');
          await gate.opened;
          signal.throwIfAborted();
        };
        await op.step('clean', clean);
        return state(op, 'cancelled');
      },
    };
    const replica = await stage.replica([kind]);
    const { id } = await replica.accept(kind, { row: 'a' });
    await replica.engine.cancel(id);
    await until('it cleans up', () => log.length === 1);
    const before = (await replica.get(id))!.version;
    await replica.engine.cancel(id);
    assert.equal((await replica.get(id))!.version, before);
    gate.open();
    assert.equal((await replica.ended(id)).status, 'cancelled');
    assert.deepEqual(log, ['cleaning']);
  });

  test('a clean-up that a crash cut off goes on after the restart', async () => {
    await using stage = await Stage.open(engine);
    const log: string[] = [];
    let isSecondRound = false;
    const kind: TestKind = {
      name: 'test.clean-twice',
      run: async (op) => {
        log.push('run');
        await op.sleep('long', 600_000);
      },
      cancel: async (op) => {
        await op.step('first', () => void log.push('first'));
        await op.step('second', () => (log.push('second'), isSecondRound ? null : new Promise(() => {})));
        return state(op, 'cancelled');
      },
    };
    const before = await stage.replica([kind]);
    const { id } = await before.accept(kind, { row: 'a' });
    await before.engine.cancel(id);
    await until('it cleans up', () => log.includes('second'));
    await before.crash();
    isSecondRound = true;
    const after = await stage.replica([kind]);
    assert.equal((await after.ended(id)).status, 'cancelled');
    assert.deepEqual(log, ['run', 'first', 'second', 'second']);
    assert.deepEqual(await after.states('a'), ['accepted', 'cancelled']);
  });

  test('a step that succeeds although its signal aborted is believed and journalled', async () => {
    await using stage = await Stage.open(engine);
    const kind: TestKind = {
      name: 'test.believed',
      run: async (op) => {
        const body = ({ signal }: Attempt) =>
          new Promise((resolve) => signal.addEventListener('abort', () => resolve('made')));
        await op.step('make', body, { commit: () => state(op, 'made') });
        await op.step('never', () => assert.fail('it was cancelled'));
      },
      cancel: async (op) => state(op, 'cancelled'),
    };
    const replica = await stage.replica([kind]);
    const { id } = await replica.accept(kind, { row: 'a' });
    await replica.engine.cancel(id);
    assert.equal((await replica.ended(id)).status, 'cancelled');
    const steps = await replica.steps(id);
    assert.ok(steps.length <= 1);
    assert.deepEqual(await replica.states('a'), ['accepted', ...(steps.length === 1 ? ['made'] : []), 'cancelled']);
  });

  test('a kind without clean-up, an operation that has ended and one that never was are refused', async () => {
    await using stage = await Stage.open(engine);
    const gate = new Gate();
    const kind: TestKind = { name: 'test.stubborn', run: (op) => op.step('one', () => gate.opened) };
    const replica = await stage.replica([kind]);
    const { id } = await replica.accept(kind, { row: 'a' });
    await assert.rejects(replica.engine.cancel(id), {
      kind: 'conflict',
      message: /cannot be cancelled once it has begun/,
    });
    gate.open();
    await replica.ended(id);
    await assert.rejects(replica.engine.cancel(id), { kind: 'conflict', message: /has already completed/ });
    await assert.rejects(replica.engine.cancel('op-none'), { kind: 'not_found' });
  });

  test('a clean-up that fails ends the operation as failed, with the domain told', async () => {
    await using stage = await Stage.open(engine);
    const kind: TestKind = {
      name: 'test.bad-clean-up',
      run: (op) => op.sleep('long', 600_000),
      cancel: () => Promise.reject(new HoldfastError('conflict', 'It cannot be undone.')),
      onFailed: (op, error) => state(op, `failed: ${error.message}`),
    };
    const replica = await stage.replica([kind]);
    const { id } = await replica.accept(kind, { row: 'a' });
    await replica.engine.cancel(id);
    assert.equal((await replica.ended(id)).status, 'failed');
    assert.deepEqual(await replica.states('a'), ['accepted', 'failed: It cannot be undone.']);
    assert.equal((await replica.lock('a')).operation_id, null);
  });

  if (engine.server !== null) {
    test('reaches an operation that another replica runs', async () => {
      await using stage = await Stage.open(engine);
      const gate = new Gate();
      const log: string[] = [];
      const kind = slowToSettle(gate, log);
      const [first, second] = [await stage.replica([kind]), await stage.replica([kind])];
      const { id } = await first.accept(kind, { row: 'a' });
      await until('it works', () => log.includes('working'));
      await second.engine.cancel(id);
      await until('the signal aborted', () => log.includes('aborted'));
      assert.equal((await second.lock('a')).operation_id, id);
      gate.open();
      assert.equal((await second.ended(id)).status, 'cancelled');
      assert.deepEqual(first.finished, [id]);
    });

    test('cancels that meet the end of operations on one resource neither deadlock nor lose one', async () => {
      await using stage = await Stage.open(engine);
      const kind: TestKind = {
        name: 'test.brief',
        run: async (op) => void (await op.step('one', () => 1)),
        cancel: async (op) => state(op, 'cancelled'),
        onCancelledBeforeStart: (op) => state(op, 'struck off'),
      };
      const [first, second] = [await stage.replica([kind]), await stage.replica([kind])];
      const accepted = await Promise.all(
        Array.from({ length: 60 }, (_, index) => (index % 2 ? first : second).accept(kind, { row: 'a' })),
      );
      const third = accepted.filter((_, index) => index % 3 === 0);
      await Promise.all(third.map(({ id }) => second.engine.cancel(id).catch(expectConflict)));
      for (const { id } of accepted) await first.ended(id);
      const lock = await first.lock('a');
      assert.deepEqual([lock.operation_id, lock.waiting], [null, 0]);
    });
  }
});

function expectConflict(error: unknown): void {
  assert.ok(error instanceof HoldfastError && error.kind === 'conflict', String(error));
}

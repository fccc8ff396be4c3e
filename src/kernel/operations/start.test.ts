import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEveryStore } from '../../../test/support/stores.ts';
import { until } from '../../../test/support/wait.ts';
import { listOperations } from './queries.ts';
import { unavailable } from './test-store.ts';
import { Stage, state, type Replica, type TestKind } from './test-stage.ts';

function countingKind(ran: string[]): TestKind {
  return {
    name: 'test.counting',
    run: async (op) => {
      await op.step('one', () => void ran.push(op.id), { commit: () => state(op, 'done') });
      return 'the output';
    },
  };
}

const all = (replica: Replica) => replica.store.inner.read((reader) => listOperations(reader, { limit: 1_000 }));

onEveryStore('accepting', (engine) => {
  test('an idempotency key replays the first answer and does nothing again', async () => {
    await using stage = await Stage.open(engine);
    const ran: string[] = [];
    const kind = countingKind(ran);
    const replica = await stage.replica([kind]);
    const idempotency = { key: 'test:k', requestHash: 'h' };
    const first = await replica.accept(kind, { row: 'a' }, { idempotency });
    const again = await replica.accept(kind, { row: 'a' }, { idempotency });
    await replica.ended(first.id);
    const later = await replica.accept(kind, { row: 'a' }, { idempotency });
    assert.deepEqual([first.isReplay, again.isReplay, later.isReplay], [false, true, true]);
    assert.deepEqual([again.id, later.id], [first.id, first.id]);
    assert.deepEqual(later.input, { row: 'a' });
    assert.deepEqual(await replica.states('a'), ['accepted', 'done']);
    assert.deepEqual(ran, [first.id]);
  });

  test('the same key with another request is a conflict that names the first operation', async () => {
    await using stage = await Stage.open(engine);
    const kind = countingKind([]);
    const replica = await stage.replica([kind]);
    const first = await replica.accept(kind, { row: 'a' }, { idempotency: { key: 'k', requestHash: 'h' } });
    await assert.rejects(replica.accept(kind, { row: 'b' }, { idempotency: { key: 'k', requestHash: 'other' } }), {
      kind: 'conflict',
      details: { field: 'Idempotency-Key', operation_id: first.id },
    });
    assert.equal((await all(replica)).length, 1);
  });

  test('concurrent starts under one key give one operation, without a deadlock', async () => {
    await using stage = await Stage.open(engine);
    const ran: string[] = [];
    const kind = countingKind(ran);
    const replicas = [await stage.replica([kind])];
    if (engine.server !== null) replicas.push(await stage.replica([kind]));
    for (let round = 0; round < 5; round++) {
      const idempotency = { key: `key-${round}`, requestHash: 'h' };
      // The same key on two resources: the order of key and resource locks is what could deadlock.
      const accepted = await Promise.all(
        Array.from({ length: 24 }, (_, index) =>
          replicas[index % replicas.length]!.accept(kind, { row: `row-${index % 2}` }, { idempotency }),
        ),
      );
      assert.equal(new Set(accepted.map(({ id }) => id)).size, 1);
      assert.equal(accepted.filter(({ isReplay }) => !isReplay).length, 1);
      await replicas[0]!.ended(accepted[0]!.id);
    }
    assert.equal(ran.length, 5);
  });

  test('a start that was committed but whose answer was lost is found again, and runs once', async () => {
    await using stage = await Stage.open(engine);
    const ran: string[] = [];
    const kind = countingKind(ran);
    const replica = await stage.replica([kind]);
    for (const idempotency of [null, { key: 'k', requestHash: 'h' }]) {
      let lost = 0;
      replica.store.afterWrite = ({ name }) => {
        if (name === 'acceptTest' && lost++ === 0) throw unavailable('unknown');
      };
      const row = idempotency === null ? 'without-key' : 'with-key';
      const accepted = await replica.accept(kind, { row }, { idempotency });
      assert.equal((await replica.ended(accepted.id)).status, 'completed');
      assert.deepEqual(await replica.states(row), ['accepted', 'done']);
      assert.equal(lost, 2);
    }
    assert.equal(ran.length, 2);
    assert.equal((await all(replica)).length, 2);
  });

  test('a start that was committed and whose every answer was lost is adopted by its owner', async () => {
    await using stage = await Stage.open(engine);
    const ran: string[] = [];
    const kind = countingKind(ran);
    const replica = await stage.replica([kind]);
    replica.store.afterWrite = ({ name }) => {
      if (name === 'acceptTest') throw unavailable('unknown');
    };
    await assert.rejects(replica.accept(kind, { row: 'a' }), { kind: 'unavailable', details: { outcome: 'unknown' } });
    const operation = await until('the operation is on record', async () => (await all(replica))[0]);
    assert.deepEqual(ran, []);
    await until('it was adopted and ended', async () => {
      await replica.engine.adoptNow();
      return (await replica.get(operation.id))!.status === 'completed';
    });
    assert.deepEqual(ran, [operation.id]);
    assert.equal(operation.takeovers, 0);
  });

  test('a start that the domain refuses leaves neither operation nor line', async () => {
    await using stage = await Stage.open(engine);
    const kind: TestKind = { name: 'test.refused', run: async () => null };
    const replica = await stage.replica([kind]);
    const tooLong = { row: 'a', circular: 1n as unknown };
    await assert.rejects(replica.accept(kind, tooLong));
    assert.deepEqual(await all(replica), []);
    const traces = await replica.store.read((reader) =>
      reader.rows(`select resource from resource_locks union all select id from test_rows`, []),
    );
    assert.deepEqual(traces, []);
  });

  test('after stop nothing is accepted', async () => {
    await using stage = await Stage.open(engine);
    const kind = countingKind([]);
    const replica = await stage.replica([kind]);
    await replica.engine.stop(100);
    await assert.rejects(replica.accept(kind, { row: 'a' }), { kind: 'unavailable' });
  });
});

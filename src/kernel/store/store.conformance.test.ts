import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEveryStore } from '../../../test/support/stores.ts';
import { until } from '../../../test/support/wait.ts';
import { openConformanceStore, rejection } from './conformance-support.ts';
import {
  addOne,
  addToBoth,
  answerWithFunction,
  callEach,
  echo,
  hideError,
  putAndThrow,
  putIfNone,
  putRow,
  valueOf,
} from './conformance-transactions.ts';
import { openStore } from './open.ts';
import { call } from './transaction.ts';

onEveryStore('a store', (engine) => {
  test('what a write has answered is visible to the next read and survives closing', async () => {
    const opened = await openConformanceStore(engine);
    assert.equal(await opened.store.write(putRow, { id: 'a', value: 3 }), 'put a');
    assert.equal(await opened.store.read((reader) => valueOf(reader, 'a')), 3);
    await opened.store.close();
    const again = await openStore(opened.settings, { owner: true });
    assert.equal(await again.read((reader) => valueOf(reader, 'a')), 3);
    await again.close();
  });

  test('the query builder and the constant statements see the same data, with plain numbers', async () => {
    await using opened = await openConformanceStore(engine);
    const { store } = opened;
    await store.write(putRow, { id: 'a', value: 2 ** 40 });
    assert.equal(await store.read((reader) => valueOf(reader, 'a')), 2 ** 40);
    assert.deepEqual(await store.read((reader) => reader.db.selectFrom('operations').selectAll().execute()), []);
    const [row] = await store.read((reader) =>
      reader.rows<{ now: number }>(`select ${reader.fragments.nowMs} as now`, []),
    );
    assert.ok(Math.abs(row!.now - Date.now()) < 60_000, `the database's clock says ${row!.now}`);
  });

  test('a transaction that throws leaves nothing, and does not harm those that share its commit', async () => {
    await using opened = await openConformanceStore(engine);
    const { store } = opened;
    const error = { kind: 'conflict', message: 'No.' } as const;
    const outcomes = await Promise.allSettled(
      Array.from({ length: 60 }, (_, index) => {
        const id = `row-${index}`;
        return index % 3 === 0 ? store.write(putAndThrow, { id, error }) : store.write(putRow, { id, value: index });
      }),
    );
    for (const [index, outcome] of outcomes.entries()) {
      const value = await store.read((reader) => valueOf(reader, `row-${index}`));
      assert.equal(outcome.status, index % 3 === 0 ? 'rejected' : 'fulfilled');
      assert.equal(value, index % 3 === 0 ? null : index);
    }
  });

  test('an error keeps its kind, message and details, across the thread too', async () => {
    await using opened = await openConformanceStore(engine);
    const details = { field: 'size', limits: { max: 5 }, list: [1, 'two'] };
    const error = { kind: 'invalid', message: 'The size is too large.', details } as const;
    const seen = await rejection(opened.store.write(putAndThrow, { id: 'a', error }), 'invalid');
    assert.equal(seen.message, error.message);
    assert.deepEqual(seen.details, details);
    await assert.rejects(opened.store.write(putAndThrow, { id: 'a', error: null }), /not one of ours/);
  });

  test('tx.call runs in the same transaction: both or none', async () => {
    await using opened = await openConformanceStore(engine);
    const { store } = opened;
    const nested = call(callEach, { calls: [call(putRow, { id: 'b', value: 2 })] });
    const both = { calls: [call(putRow, { id: 'a', value: 1 }), nested] };
    assert.deepEqual(await store.write(callEach, both), ['put a', ['put b']]);
    const refusal = call(putAndThrow, { id: 'd', error: { kind: 'conflict', message: 'No.' } as const });
    await rejection(store.write(callEach, { calls: [call(putRow, { id: 'c', value: 1 }), refusal] }), 'conflict');
    assert.equal(await store.read((reader) => valueOf(reader, 'b')), 2);
    assert.equal(await store.read((reader) => valueOf(reader, 'c')), null);
    const unknown = { calls: [{ module: putRow.module, name: 'nobody', params: {} }] };
    await assert.rejects(store.write(callEach, unknown), /no transaction named nobody/);
  });

  test('parameters and results are plain data, BigInt and bytes included', async () => {
    await using opened = await openConformanceStore(engine);
    const value = { big: 2n ** 70n, bytes: new Uint8Array([1, 2]), none: null, nested: [{ text: 'ä\u0000' }] };
    assert.deepEqual(await opened.store.write(echo, value), value);
  });

  test('data that cannot be sent fails its own write and no other', async () => {
    await using opened = await openConformanceStore(engine);
    const { store } = opened;
    const outcomes = await Promise.allSettled([
      store.write(putRow, { id: 'before', value: 1 }),
      store.write(echo, () => 'a function'),
      store.write(answerWithFunction, { id: 'function' }),
      store.write(putRow, { id: 'after', value: 1 }),
    ]);
    assert.equal(outcomes[0]!.status, 'fulfilled');
    assert.equal(outcomes[3]!.status, 'fulfilled');
    assert.equal(await store.read((reader) => valueOf(reader, 'before')), 1);
    assert.equal(await store.read((reader) => valueOf(reader, 'after')), 1);
    await store.write(putRow, { id: 'later', value: 1 });
  });

  test('a transaction that hides a failed statement is not acknowledged unless it is kept', async () => {
    await using opened = await openConformanceStore(engine);
    const { store } = opened;
    const isAcknowledged = await store.write(hideError, { id: 'a' }).then(
      () => true,
      () => false,
    );
    assert.equal(await store.read((reader) => valueOf(reader, 'a')), isAcknowledged ? 1 : null);
  });

  test('500 concurrent writes to one row lose none', async () => {
    await using opened = await openConformanceStore(engine);
    const { store } = opened;
    await store.write(putRow, { id: 'a', value: 0 });
    const answers = await Promise.all(Array.from({ length: 500 }, () => store.write(addOne, { id: 'a' })));
    assert.equal(new Set(answers).size, 500);
    assert.equal(await store.read((reader) => valueOf(reader, 'a')), 500);
  });

  test('a named lock excludes those that take the same name', async () => {
    await using opened = await openConformanceStore(engine);
    const { store } = opened;
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) => store.write(putIfNone, { prefix: 'only-', id: `only-${index}` })),
    );
    assert.equal(answers.filter(Boolean).length, 1);
  });

  test('transactions that lock rows in opposite orders all succeed', async () => {
    await using opened = await openConformanceStore(engine);
    const { store } = opened;
    await store.write(putRow, { id: 'a', value: 0 });
    await store.write(putRow, { id: 'b', value: 0 });
    await Promise.all(
      Array.from({ length: 4 }, (_, index) =>
        store.write(addToBoth, { ids: index % 2 === 0 ? ['a', 'b'] : ['b', 'a'] }),
      ),
    );
    assert.equal(await store.read((reader) => valueOf(reader, 'a')), 4);
  });

  test('what is published is heard by each subscriber of the topic until it ends its subscription', async () => {
    await using opened = await openConformanceStore(engine);
    const { store } = opened;
    const heard: string[] = [];
    const end = store.subscribe('topic', (payload) => heard.push(payload));
    store.subscribe('other', () => assert.fail('another topic'));
    store.publish('topic', 'one two');
    end();
    store.publish('topic', 'three');
    await until('the first was heard', () => heard.length > 0);
    assert.deepEqual(heard, ['one two']);
  });

  test('closing keeps every write that was asked for before, and refuses later ones as unavailable', async () => {
    const { store, settings } = await openConformanceStore(engine);
    await store.health();
    const last = Array.from({ length: 20 }, (_, index) => store.write(putRow, { id: `row-${index}`, value: index }));
    await Promise.all([...last, store.close()]);
    await rejection(store.write(putRow, { id: 'late', value: 1 }), 'unavailable');
    const again = await openStore(settings, { owner: true });
    assert.equal(await again.read((reader) => valueOf(reader, 'row-19')), 19);
    assert.equal(await again.read((reader) => valueOf(reader, 'late')), null);
    await again.close();
  });
});

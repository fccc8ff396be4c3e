import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { createIdSource } from '../../kernel/ids.ts';
import type { Store } from '../../kernel/store/store.ts';
import { openFresh, onEveryStore } from '../../../test/support/stores.ts';
import { backendMigrations } from './test-backends.ts';
import { type UsageRow, flushUsage } from './usage-flush.ts';
import { UsageBook } from './usage.ts';

const november = Date.parse('2026-11-30T23:59:59.000Z');
const noLimits = { requests: null, ingress: null, egress: null };
const one = { requests: 1, ingressBytes: 10, egressBytes: 100 };

interface BookRig {
  readonly book: UsageBook;
  nowMs: number;
}

function openBook(store: Store): BookRig {
  const rig = { nowMs: november } as { nowMs: number; book: UsageBook };
  const clock = { nowMs: () => rig.nowMs };
  rig.book = new UsageBook({ store, clock, newId: createIdSource(), onError: (error) => assert.fail(String(error)) });
  return rig;
}

async function rowsOf(store: Store): Promise<unknown[]> {
  const statement =
    'select backend, month, requests, ingress_bytes, egress_bytes from backend_usage order by backend, month';
  const rows = await store.read((reader) => reader.rows<Record<string, unknown>>(statement, []));
  return rows.map((row) => Object.values(row));
}

/** A store on which some writes fail, before they are done or with their answer lost. */
function unreliable(store: Store, plan: ('fail' | 'lose' | 'work')[]): Store {
  return new Proxy(store, {
    get(target, property) {
      const member: unknown = Reflect.get(target, property, target);
      if (property !== 'write') return typeof member === 'function' ? member.bind(target) : member;
      return async (...args: Parameters<Store['write']>) => {
        const next = plan.shift() ?? 'work';
        if (next === 'fail') throw new HoldfastError('unavailable', 'The store is away.', { outcome: 'none' });
        const result = await target.write(...args);
        if (next === 'lose') throw new HoldfastError('unavailable', 'The answer was lost.', { outcome: 'unknown' });
        return result;
      };
    },
  });
}

onEveryStore('usage of backends', (engine) => {
  test('is counted at once, flushed additively, and shared by processes', async () => {
    const store = await openFresh(engine, backendMigrations);
    const [a, b] = [openBook(store), openBook(store)];
    await a.book.start();
    for (let call = 0; call < 3; call++) a.book.count('disk1', one);
    b.book.count('disk1', one);
    assert.equal(a.book.total('disk1').requests, 3);
    await a.book.flush();
    await b.book.flush();
    assert.deepEqual(await rowsOf(store), [['disk1', '2026-11', 4, 40, 400]]);
    assert.equal(a.book.total('disk1').requests, 3, 'others are known after the next flush');
    await a.book.flush();
    assert.deepEqual(a.book.total('disk1'), { month: '2026-11', requests: 4, ingressBytes: 40, egressBytes: 400 });
    a.book.count('disk1', one);
    await a.book.close();
    assert.deepEqual(await rowsOf(store), [['disk1', '2026-11', 5, 50, 500]]);
    await store.close();
  });

  test('belongs to the month in which it happened, by UTC', async () => {
    const store = await openFresh(engine, backendMigrations);
    const rig = openBook(store);
    rig.book.count('disk1', one);
    rig.nowMs += 1_000;
    assert.equal(rig.book.total('disk1').requests, 0, 'a new month begins with nothing');
    rig.book.count('disk1', one);
    await rig.book.flush();
    assert.deepEqual(
      (await rowsOf(store)).map((row) => (row as unknown[])[1]),
      ['2026-11', '2026-12'],
    );
    assert.deepEqual(rig.book.total('disk1'), { month: '2026-12', ...one });
    await store.close();
  });

  test('reaches a limit with what is not flushed yet', async () => {
    const store = await openFresh(engine, backendMigrations);
    const { book } = openBook(store);
    for (let call = 0; call < 5; call++) book.count('disk1', one);
    await book.flush();
    const limits = { ...noLimits, requests: 7, egress: 100_000 };
    assert.equal(book.isOver('disk1', 'requests', limits), false);
    for (let call = 0; call < 2; call++) book.count('disk1', one);
    assert.equal(book.isOver('disk1', 'requests', limits), true);
    assert.equal(book.isOver('disk1', 'egress', limits), false);
    assert.equal(book.isOver('disk1', 'ingress', limits), false);
    assert.equal(book.isOver('disk1', 'ingress', { ...limits, ingress: 70 }), true);
    assert.equal(book.isOver('disk2', 'requests', limits), false);
    await store.close();
  });

  test('failure 24: a flush that failed, or whose answer was lost, is repeated and counted once', async () => {
    const store = await openFresh(engine, backendMigrations);
    const { book } = openBook(unreliable(store, ['fail', 'lose', 'lose', 'work']));
    book.count('disk1', one);
    for (let turn = 1; turn <= 3; turn++) {
      await assert.rejects(book.flush(), /away|lost/);
      assert.equal(book.total('disk1').requests, turn, 'nothing is forgotten or doubled in the meantime');
      book.count('disk1', one);
    }
    await book.flush();
    await book.flush();
    assert.equal(book.total('disk1').requests, 4);
    assert.deepEqual(await rowsOf(store), [['disk1', '2026-11', 4, 40, 400]]);
    await store.close();
  });

  test('failure 24: adds up after any mixture of counts, failures and lost answers', async () => {
    const store = await openFresh(engine, backendMigrations);
    const event = fc.constantFrom('count', 'work', 'fail', 'lose' as const);
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 25 }), async (events) => {
        const plan: ('fail' | 'lose' | 'work')[] = [];
        const { book } = openBook(unreliable(store, plan));
        const backend = `run-${++run}`;
        let counted = 0;
        for (const step of events) {
          if (step === 'count') {
            book.count(backend, one);
            counted += 1;
          } else {
            plan[0] = step;
            await book.flush().catch(() => {});
            plan.length = 0;
          }
          assert.equal(book.total(backend).requests, counted);
        }
        await book.flush();
        assert.equal(book.total(backend).requests, counted);
        const statement = 'select requests from backend_usage where backend = ?';
        const [row] = await store.read((reader) => reader.rows<{ requests: number }>(statement, [backend]));
        assert.equal(row?.requests ?? 0, counted);
      }),
      { numRuns: 20 },
    );
    await store.close();
  });

  test('failure 4: flushes of many rows in any order never wait for each other in a circle', async () => {
    const store = await openFresh(engine, backendMigrations);
    const rows: UsageRow[] = Array.from({ length: 12 }, (_, index) => ({
      place: `disk${index}`,
      month: '2026-11',
      ...one,
    }));
    const flushes = Array.from({ length: 40 }, (_, index) =>
      store.write(flushUsage, {
        flusher: `process-${index}`,
        seq: 1,
        nowMs: november,
        rows: index % 2 === 0 ? rows : rows.toReversed(),
      }),
    );
    await Promise.all(flushes);
    const found = await rowsOf(store);
    assert.equal(found.length, 12);
    for (const row of found) assert.equal((row as unknown[])[2], 40);
    await store.close();
  });
});

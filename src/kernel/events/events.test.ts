import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEveryStore, type StoreEngine } from '../../../test/support/stores.ts';
import { until } from '../../../test/support/wait.ts';
import { FaultyStore, unavailable } from '../operations/test-store.ts';
import { testMigration } from '../operations/test-transactions.ts';
import { kernelMigration } from '../store/migrations/0001_kernel.ts';
import { openStore } from '../store/open.ts';
import { openTransaction } from '../store/raw-transaction.ts';
import type { Store } from '../store/store.ts';
import type { Event } from './event.ts';
import { EventFollower, eventsTopic } from './follower.ts';
import { eventsAfter, eventsOf } from './queries.ts';
import { happen } from './test-events.ts';

/** A follower on fresh data, with as many writing stores as the engine allows. */
class Scene implements AsyncDisposable {
  readonly store: FaultyStore;
  readonly writers: readonly Store[];
  readonly follower: EventFollower;
  readonly errors: unknown[] = [];
  readonly databaseUrl: string | undefined;
  reads = 0;

  private constructor(store: FaultyStore, writers: readonly Store[], databaseUrl: string | undefined) {
    this.store = store;
    this.databaseUrl = databaseUrl;
    this.writers = writers;
    this.store.beforeRead = () => void this.reads++;
    this.follower = new EventFollower(store, (error) => this.errors.push(error));
  }

  static async open(engine: StoreEngine): Promise<Scene> {
    const settings = await engine.fresh([kernelMigration, testMigration]);
    const first = await openStore(settings, { owner: true });
    const writers = engine.server === null ? [first] : [first, await openStore(settings, { owner: true })];
    return new Scene(new FaultyStore(first), writers, settings.databaseUrl);
  }

  /** Several writers at once, a quarter of them rolled back after they took their ids. */
  async write(perWriter: number, lanes = 8): Promise<void> {
    const openMs = (lane: number) => (this.writers.length === 1 ? 0 : lane * 2);
    await Promise.all(
      Array.from({ length: lanes }, async (_, lane) => {
        const store = this.writers[lane % this.writers.length]!;
        for (let count = 0; count < perWriter; count++) {
          const params = { row: `row-${(lane + count) % 3}`, count: 1 + (count % 2), label: `${lane}-${count}` };
          const isRefused = (lane + count) % 4 === 0;
          const written = store.write(happen, { ...params, openMs: openMs(lane), isRefused });
          await written.catch((error: unknown) => assert.equal((error as { kind?: string }).kind, 'conflict'));
          store.publish(eventsTopic, '');
        }
      }),
    );
  }

  all(): Promise<Event[]> {
    return this.store.inner.read((reader) => eventsAfter(reader, 0, 100_000));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.follower.close();
    for (const store of this.writers) await store.close();
  }
}

const ids = (events: readonly Event[]) => events.map((event) => event.id);
const one = (row: string) => ({ row, count: 1, label: row, openMs: 0, isRefused: false });

onEveryStore('events', (engine) => {
  test('have a gapless order per resource under concurrency, and leave nothing of what was rolled back', async () => {
    await using scene = await Scene.open(engine);
    await scene.write(20);
    let count = 0;
    for (const row of ['row-0', 'row-1', 'row-2']) {
      const events = await scene.store.read((reader) => eventsOf(reader, `row:${row}`, 0, 1_000));
      assert.deepEqual(
        events.map((event) => event.seq),
        events.map((_, index) => index + 1),
      );
      count += events.length;
    }
    assert.equal(count, (await scene.all()).length);
    assert.ok(count > 100);
  });

  test('a follower tells them in order of id, none left out and none twice, with writers that roll back', async () => {
    await using scene = await Scene.open(engine);
    const [all, some]: [Event[], Event[]] = [[], []];
    await scene.follower.listen(null, (event) => all.push(event));
    await scene.follower.listen('row:row-1', (event) => some.push(event));
    await scene.write(25);
    const expected = await scene.all();
    await until('all were told', () => all.length >= expected.length);
    assert.deepEqual(all, expected);
    assert.deepEqual(
      some,
      expected.filter((event) => event.resource === 'row:row-1'),
    );
    assert.deepEqual(scene.errors, []);
  });

  test('after it woke again a follower may tell old events once more, and then none is left out or twice', async () => {
    await using scene = await Scene.open(engine);
    await scene.write(5);
    const before = await scene.all();
    const told: Event[] = [];
    const { fromId } = await scene.follower.listen(null, (event) => told.push(event));
    assert.ok(fromId <= before.at(-1)!.id);
    if (engine.server === null) assert.equal(fromId, before.at(-1)!.id);
    await scene.write(5);
    const expected = (await scene.all()).filter((event) => event.id > fromId);
    await until('all were told', () => told.length >= expected.length);
    assert.deepEqual(ids(told), ids(expected));
  });

  test('listening first and reading then loses nothing', async () => {
    await using scene = await Scene.open(engine);
    let isOver = false;
    const writing = (async () => {
      while (!isOver) await scene.write(3);
    })();
    for (let round = 0; round < 5; round++) {
      const known = new Set<number>();
      const heard = await scene.follower.listen('row:row-0', (event) => known.add(event.seq));
      const past = await scene.store.read((reader) => eventsOf(reader, 'row:row-0', 0, 10_000));
      for (const event of past) known.add(event.seq);
      await until('something more happened', () => known.size > past.length);
      isOver = round === 4;
      if (isOver) await writing;
      const newest = await scene.store.read((reader) => eventsOf(reader, 'row:row-0', 0, 10_000));
      await until('all are known', () => newest.every((event) => known.has(event.seq)));
      heard.end();
    }
  });

  test('it rests while nobody listens, and a publication wakes it only when somebody does', async () => {
    await using scene = await Scene.open(engine);
    const first = await scene.follower.listen(null, () => assert.fail('ended before'));
    first.end();
    await until('it rests', async () => {
      scene.follower.wake();
      const before = scene.reads;
      await new Promise((resolve) => setTimeout(resolve, 30));
      return scene.reads === before;
    });
    await scene.writers[0]!.write(happen, one('a'));
    const reads = scene.reads;
    for (let count = 0; count < 100; count++) scene.follower.wake();
    assert.equal(scene.reads, reads);
    const told: Event[] = [];
    await scene.follower.listen(null, (event) => told.push(event));
    await scene.writers[0]!.write(happen, one('b'));
    scene.follower.wake();
    await until('it was told', () => told.some((event) => event.resource === 'row:b'));
  });

  test('it hears without being woken: a lost wake-up only delays', async () => {
    await using scene = await Scene.open(engine);
    const told: Event[] = [];
    await scene.follower.listen(null, (event) => told.push(event));
    await scene.writers.at(-1)!.write(happen, one('a'));
    await until('it was told', () => told.length === 1);
  });

  test('a store that cannot be read for a while, or a listener that throws, leaves no event out', async () => {
    await using scene = await Scene.open(engine);
    const told: Event[] = [];
    await scene.follower.listen('row:a', () => assert.fail('this listener throws'));
    await scene.follower.listen(null, (event) => told.push(event));
    let failures = 0;
    scene.store.beforeRead = () => {
      if (failures++ < 2) throw unavailable('none');
    };
    for (const row of ['a', 'b']) await scene.writers[0]!.write(happen, one(row));
    await until('both were told', () => {
      scene.follower.wake();
      return told.length === 2;
    });
    assert.equal(scene.errors.length, 3);
  });

  test('a subscription that is ended twice does not take away a later one', async () => {
    await using scene = await Scene.open(engine);
    const told: Event[] = [];
    const former = await scene.follower.listen('row:a', () => assert.fail('ended before'));
    former.end();
    await scene.follower.listen('row:a', (event) => told.push(event));
    former.end();
    await scene.writers[0]!.write(happen, one('a'));
    scene.follower.wake();
    await until('it was told', () => told.length === 1);
  });

  if (engine.server !== null) {
    test('an event that is still being written holds back those after it, until it is there', async () => {
      await using scene = await Scene.open(engine);
      const told: Event[] = [];
      await scene.follower.listen(null, (event) => told.push(event));
      const slow = scene.writers[0]!.write(happen, { ...one('slow'), openMs: 300 });
      const isTaken = async () => (await lastIdTaken(scene)) === 1;
      await until('the first id is taken', isTaken);
      await scene.writers[1]!.write(happen, one('quick'));
      scene.follower.wake();
      await slow;
      await until('both were told', () => told.length === 2);
      assert.deepEqual(
        told.map((event) => event.resource),
        ['row:slow', 'row:quick'],
      );
    });

    test('it is held back also when the transaction that took the lower id is the younger one', async () => {
      await using scene = await Scene.open(engine);
      const told: Event[] = [];
      await scene.follower.listen(null, (event) => told.push(event));
      const open = (row: string) =>
        openTransaction(scene.databaseUrl!, `insert into test_rows (id, state, changes) values ('${row}', 'new', 1)`);
      const append = (row: string) => `insert into events (resource, seq, type, data, actor, created_at)
        values ('row:${row}', 1, 'happened', '{}', 'test', 0)`;
      const [older, younger] = [await open('older'), await open('younger')];
      await younger.run(append('younger'));
      await older.run(append('older'));
      await older.end('commit');
      const reads = scene.reads;
      await until('the follower has looked several times', () => {
        scene.follower.wake();
        return scene.reads > reads + 10;
      });
      await younger.end('commit');
      await until('both were told', () => told.length === 2);
      assert.deepEqual(ids(told), [1, 2]);
    });

    test('a long history full of gaps is told without a wait for each gap', async () => {
      await using scene = await Scene.open(engine);
      for (let count = 0; count < 200; count++) {
        const isRefused = count % 2 === 0;
        await scene.writers[0]!.write(happen, { ...one('a'), isRefused }).catch(() => {});
      }
      const told: Event[] = [];
      const before = scene.reads;
      await scene.follower.listen(null, (event) => told.push(event));
      scene.follower.wake();
      await until('all were told', () => told.length === 100);
      assert.ok(scene.reads - before < 20, `${scene.reads - before} reads`);
    });
  }
});

async function lastIdTaken(scene: Scene): Promise<number | null> {
  const [row] = await scene.store.inner.read((reader) =>
    reader.rows<{ last: number | null }>(
      `select pg_sequence_last_value(pg_get_serial_sequence('events', 'id')::regclass) as last`,
      [],
    ),
  );
  return row?.last ?? null;
}

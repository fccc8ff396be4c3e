import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEveryStore } from '../../../test/support/stores.ts';
import { until } from '../../../test/support/wait.ts';
import { HoldfastError } from '../errors/errors.ts';
import { Gate } from './test-store.ts';
import { Stage, type TestKind } from './test-stage.ts';

/** Notes who begins and ends on a row, and how many run at once. */
class Witness {
  readonly order: string[] = [];
  readonly fences: number[] = [];
  readonly #busy = new Map<string, number>();
  #running = 0;
  runningMost = 0;

  readonly kind: TestKind = {
    name: 'test.witness',
    run: async (op) => {
      await op.step('one', async ({ fence }) => {
        const busy = (this.#busy.get(op.resource) ?? 0) + 1;
        this.#busy.set(op.resource, busy);
        assert.equal(busy, 1, `two at once on ${op.resource}`);
        this.runningMost = Math.max(this.runningMost, ++this.#running);
        this.order.push(op.id);
        this.fences.push(fence);
        await new Promise((resolve) => setImmediate(resolve));
        this.#running--;
        this.#busy.set(op.resource, busy - 1);
      });
    },
  };
}

onEveryStore('the line for a resource', (engine) => {
  test('operations on one resource run one at a time, in order of acceptance, each with a higher fence', async () => {
    await using stage = await Stage.open(engine);
    const witness = new Witness();
    const replica = await stage.replica([witness.kind]);
    const ids: string[] = [];
    for (let count = 0; count < 40; count++) ids.push((await replica.accept(witness.kind, { row: 'a' })).id);
    for (const id of ids) assert.equal((await replica.ended(id)).status, 'completed');
    assert.deepEqual(witness.order, ids);
    assert.deepEqual(
      witness.fences,
      witness.fences.map((_, index) => index + 1),
    );
  });

  test('concurrent acceptances on few resources: in order of acceptance, and the hand-over forgets nobody', async () => {
    await using stage = await Stage.open(engine);
    const witness = new Witness();
    const replicas = [await stage.replica([witness.kind])];
    if (engine.server !== null) replicas.push(await stage.replica([witness.kind]));
    const accepted = await Promise.all(
      Array.from({ length: 240 }, (_, index) =>
        replicas[index % replicas.length]!.accept(witness.kind, { row: `row-${index % 4}` }),
      ),
    );
    // No poll helps here: the net would begin them too, later.
    for (const { id } of accepted) assert.equal((await replicas[0]!.ended(id)).status, 'completed');
    assert.equal(new Set(witness.order).size, 240);
    for (let row = 0; row < 4; row++) {
      const lock = await replicas[0]!.lock(`row-${row}`);
      assert.deepEqual(lock, { operation_id: null, fence: 60, waiting: 0 });
      const tickets = await replicas[0]!.store.read((reader) =>
        reader.rows<{ id: string }>('select id from operations where resource = ? order by ticket', [`row:row-${row}`]),
      );
      const inLine = tickets.map(({ id }) => id);
      assert.deepEqual(
        witness.order.filter((id) => inLine.includes(id)),
        inLine,
      );
    }
    for (const replica of replicas) assert.deepEqual(replica.adopted, []);
  });

  test('different resources run in parallel, at most runningMax bodies at once', async () => {
    await using stage = await Stage.open(engine);
    const gate = new Gate();
    let running = 0;
    let most = 0;
    const kind: TestKind = {
      name: 'test.bounded',
      run: async (op) => {
        await op.step('one', async () => {
          most = Math.max(most, ++running);
          await gate.opened;
          running--;
        });
      },
    };
    const replica = await stage.replica([kind], { runningMax: 3 });
    const accepted = await Promise.all(
      Array.from({ length: 10 }, (_, index) => replica.accept(kind, { row: `${index}` })),
    );
    await until('three run', () => running === 3);
    gate.open();
    for (const { id } of accepted) await replica.ended(id);
    assert.equal(most, 3);
  });

  test('one that sleeps, waits for a signal or for its next attempt takes no place of those that run', async () => {
    await using stage = await Stage.open(engine);
    const policy = { attemptsMax: 2, initialWaitMs: 600_000, multiplier: 1, waitMaxMs: 600_000 };
    const fail = () => Promise.reject(new HoldfastError('backend', 'Not yet.'));
    const idle: TestKind[] = [
      { name: 'test.sleeps', run: (op) => op.sleep('one', 600_000) },
      { name: 'test.waits', run: (op) => op.waitFor('one', 600_000) },
      { name: 'test.retries', run: (op) => op.step('one', fail, { policy }) },
    ];
    const witness = new Witness();
    const replica = await stage.replica([...idle, witness.kind], { runningMax: 1 });
    for (const kind of idle) await replica.accept(kind, { row: kind.name });
    const { id } = await replica.accept(witness.kind, { row: 'a' });
    assert.equal((await replica.ended(id)).status, 'completed');
  });

  test('past heldMax new ones are refused as overloaded, also in one burst, and accepted again later', async () => {
    await using stage = await Stage.open(engine);
    const gate = new Gate();
    const kind: TestKind = { name: 'test.held', run: (op) => op.step('one', () => gate.opened) };
    const replica = await stage.replica([kind], { heldMax: 5 });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 50 }, (_, index) => replica.accept(kind, { row: `${index}` })),
    );
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    assert.equal(refused.length, 45);
    for (const { reason } of refused) assert.equal((reason as HoldfastError).kind, 'overloaded');
    const resources = await replica.store.read((reader) => reader.rows('select id from test_rows', []));
    assert.equal(resources.length, 5, 'a refused one left a trace');
    gate.open();
    await until('all have ended', () => replica.engine.heldCount === 0);
    await replica.ended((await replica.accept(kind, { row: 'later' })).id);
  });
});

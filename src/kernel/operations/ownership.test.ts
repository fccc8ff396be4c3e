import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { onEveryStore } from '../../../test/support/stores.ts';
import { until } from '../../../test/support/wait.ts';
import type { Attempt } from './operation.ts';
import { renewReplica } from './ownership.ts';
import { Gate, unavailable } from './test-store.ts';
import { Stage, state, type TestKind } from './test-stage.ts';
import { expireReplica, setTakeovers } from './test-transactions.ts';

interface Visit {
  readonly attempt: Attempt;
  readonly gate: Gate;
}

/** Each time its step runs, the test gets the attempt and the gate that lets it go on. It pays no heed to its signal. */
function visited(visits: Visit[], extra: Partial<TestKind> = {}): TestKind {
  return {
    name: 'test.visited',
    run: async (op) => {
      await op.step(
        'one',
        async (attempt) => {
          const visit = { attempt, gate: new Gate() };
          visits.push(visit);
          await visit.gate.opened;
        },
        { commit: () => state(op, `done under fence ${visits.at(-1)!.attempt.fence}`) },
      );
      return visits.length;
    },
    ...extra,
  };
}

onEveryStore('ownership', (engine) => {
  test('each takeover raises the fence of the resource, which never falls', async () => {
    await using stage = await Stage.open(engine);
    const visits: Visit[] = [];
    const kind = visited(visits);
    let replica = await stage.replica([kind]);
    const { id } = await replica.accept(kind, { row: 'a' });
    const { id: next } = await replica.accept(kind, { row: 'a' });
    for (let count = 1; count <= 3; count++) {
      await until(`visit ${count}`, () => visits.length === count);
      await replica.crash();
      replica = await stage.replica([kind]);
    }
    await until('the last visit', () => visits.length === 4);
    visits[3]!.gate.open();
    assert.equal((await replica.ended(id)).takeovers, 3);
    await until('the next in line', () => visits.length === 5);
    visits[4]!.gate.open();
    await replica.ended(next);
    assert.deepEqual(
      visits.map(({ attempt }) => attempt.fence),
      [1, 2, 3, 4, 5],
    );
    for (const { gate } of visits) gate.open();
  });

  test('a poison pill gives up after too many takeovers, with the domain told', async () => {
    await using stage = await Stage.open(engine);
    const visits: Visit[] = [];
    const kind = visited(visits, { onFailed: (op, error) => state(op, `failed: ${error.kind}`) });
    const before = await stage.replica([kind]);
    const { id } = await before.accept(kind, { row: 'a' });
    const waiting = await before.accept(kind, { row: 'a' });
    await until('it runs', () => visits.length === 1);
    await before.store.inner.write(setTakeovers, { id, takeovers: 20 });
    await before.crash();
    const after = await stage.replica([kind]);
    const operation = await after.ended(id);
    assert.equal(operation.status, 'failed');
    assert.match(operation.error!.message, /cut off 21 times/);
    assert.deepEqual((await after.states('a')).slice(2), ['failed: internal']);
    await until('the line goes on', () => visits.length === 2);
    for (const { gate } of visits) gate.open();
    assert.equal((await after.ended(waiting.id)).status, 'completed');
  });

  test('a graceful stop aborts, waits for what settles, gives the rest back and counts no takeover', async () => {
    await using stage = await Stage.open(engine);
    const visits: Visit[] = [];
    const kind: TestKind = {
      name: 'test.heeding',
      run: async (op) => {
        await op.step('one', async (attempt) => {
          visits.push({ attempt, gate: new Gate() });
          if (visits.length > 1) return;
          await new Promise((resolve) => attempt.signal.addEventListener('abort', resolve));
        });
        await op.step('two', () => 2);
      },
    };
    const before = await stage.replica([kind]);
    const { id } = await before.accept(kind, { row: 'a' });
    await until('it runs', () => visits.length === 1);
    await before.end(5_000);
    const after = await stage.replica([kind]);
    const operation = await after.ended(id);
    assert.deepEqual([operation.status, operation.takeovers], ['completed', 0]);
    // The step settled with a result while it was being stopped, and that was journalled.
    assert.equal(visits.length, 1);
  });

  test('a stop while the store cannot be reached does not throw', async () => {
    await using stage = await Stage.open(engine);
    const replica = await stage.replica([]);
    replica.store.beforeWrite = () => {
      throw unavailable('none');
    };
    await replica.engine.stop(10);
    assert.equal(replica.errors.length, 1);
  });

  if (engine.server === null) return;

  test('a zombie writes nothing: its result comes after the takeover and changes nothing', async () => {
    await using stage = await Stage.open(engine);
    const visits: Visit[] = [];
    const kind = visited(visits);
    const [zombie, heir] = [await stage.replica([kind]), await stage.replica([kind])];
    const { id } = await zombie.accept(kind, { row: 'a' });
    await until('it runs', () => visits.length === 1);
    // Paused as by SIGSTOP: nothing of it reaches the store until it wakes, after its lease has run out.
    const paused = new Gate();
    zombie.store.beforeWrite = () => paused.opened;
    await heir.store.write(expireReplica, { id: zombie.engine.replicaId });
    await heir.engine.adoptNow();
    await until('the heir runs it', () => visits.length === 2);
    assert.ok(visits[1]!.attempt.fence > visits[0]!.attempt.fence);
    visits[0]!.gate.open();
    paused.open();
    await until('the zombie dropped it', () => zombie.engine.heldCount === 0);
    assert.deepEqual(await heir.steps(id), []);
    assert.deepEqual(await heir.states('a'), ['accepted']);
    visits[1]!.gate.open();
    assert.equal((await heir.ended(id)).status, 'completed');
    assert.deepEqual([zombie.finished, heir.finished], [[], [id]]);
    assert.deepEqual(await heir.states('a'), ['accepted', 'done under fence 2']);
  });

  test("a zombie's signal aborts when its lease is lost, without any write of its own", async () => {
    await using stage = await Stage.open(engine);
    const visits: Visit[] = [];
    const kind = visited(visits);
    const replica = await stage.replica([kind], { leaseTtlMs: 2_000 });
    const former = replica.engine.replicaId;
    await replica.accept(kind, { row: 'a' });
    await until('it runs', () => visits.length === 1);
    await replica.store.inner.write(expireReplica, { id: former });
    await until('its signal aborts', () => visits[0]!.attempt.signal.aborted);
    assert.deepEqual(replica.leasesLost, [former]);
    for (const { gate } of visits) gate.open();
    await until('it runs again under the new lease', async () => {
      for (const { gate } of visits) gate.open();
      return replica.finished.length === 1;
    });
    assert.notEqual(replica.engine.replicaId, former);
  });

  test('a lease is never revived: not by the store, not by an answer that comes after the watchdog', async () => {
    await using stage = await Stage.open(engine);
    const visits: Visit[] = [];
    const kind = visited(visits);
    const replica = await stage.replica([kind], { leaseTtlMs: 3_000 });
    const former = replica.engine.replicaId;
    const slow = new Gate();
    replica.store.afterWrite = async ({ name, params }) => {
      if (name === 'renewReplica' && (params as { id: string }).id === former) await slow.opened;
    };
    await replica.accept(kind, { row: 'a' });
    await until('the watchdog gave the lease up', () => replica.leasesLost.length > 0 && visits.length > 0);
    assert.ok(visits[0]!.attempt.signal.aborted);
    const writes: string[] = [];
    replica.store.beforeWrite = ({ name }) => void writes.push(name);
    slow.open();
    await until('a new lease is held', async () => (await knownReplicas()).includes(replica.engine.replicaId));
    // The late answer must not be counted to the new lease, whose first write is then its own registration.
    assert.equal(replica.leasesLost.filter((id) => id === former).length, 1);
    await replica.store.inner.write(expireReplica, { id: former });
    assert.equal(await replica.store.inner.write(renewReplica, { id: former, ttlMs: 60_000 }), false);
    for (const { gate } of visits) gate.open();

    async function knownReplicas(): Promise<string[]> {
      const rows = await replica.store.inner.read((reader) =>
        reader.rows<{ id: string }>('select id from replicas', []),
      );
      return rows.map(({ id }) => id);
    }
  });

  test('the watchdog gives up in time although each renewal fails at once', async () => {
    await using stage = await Stage.open(engine);
    const replica = await stage.replica([], { leaseTtlMs: 1_000 });
    const former = replica.engine.replicaId;
    let isExpired = false;
    replica.store.beforeWrite = ({ name }) => {
      if (name === 'renewReplica') throw unavailable('none');
    };
    await until('the lease was given up', async () => {
      // Asked first: what the store says must be older than what we know.
      const [row] = await replica.store.inner.read((reader) =>
        reader.rows<{ left: number }>(`select until - ${reader.fragments.nowMs} as left from replicas where id = ?`, [
          former,
        ]),
      );
      // When this process has stood still, its own timers are due before the store's answer counts.
      await delay(1);
      const isLost = replica.leasesLost.length > 0;
      isExpired ||= !isLost && (row === undefined || row.left < 0);
      return isLost;
    });
    assert.equal(isExpired, false, 'others could have taken over before we gave up');
  });

  test('without a lease nothing is accepted and nothing taken over, and afterwards both are', async () => {
    await using stage = await Stage.open(engine);
    const kind: TestKind = { name: 'test.plain', run: (op) => op.step('one', () => 1) };
    const replica = await stage.replica([kind], { leaseTtlMs: 1_000 });
    const back = new Gate();
    replica.store.beforeWrite = ({ name }) => {
      if (!back.isOpen && (name === 'renewReplica' || name === 'registerReplica')) throw unavailable('none');
    };
    await until('the lease was given up', () => replica.leasesLost.length > 0);
    await assert.rejects(replica.accept(kind, { row: 'a' }), { kind: 'unavailable' });
    const adoptions: string[] = [];
    replica.store.afterWrite = ({ name }) => void (name === 'adoptOperations' && adoptions.push(name));
    await replica.engine.adoptNow();
    assert.deepEqual(adoptions, []);
    back.open();
    const { id } = await until('it is accepted again', () => replica.accept(kind, { row: 'a' }).catch(() => null));
    assert.equal((await replica.ended(id)).takeovers, 0);
  });

  test('after a graceful stop the other replica goes on at once, without waiting for its poll', async () => {
    await using stage = await Stage.open(engine);
    const visits: Visit[] = [];
    const kind = visited(visits);
    const [leaving, staying] = [await stage.replica([kind]), await stage.replica([kind])];
    // Its polls fail; only a look in the very turn in which it is told succeeds.
    let isTold = false;
    staying.store.inner.subscribe('given-back', () => {
      isTold = true;
      setImmediate(() => (isTold = false));
    });
    staying.store.beforeWrite = ({ name }) => {
      if (name === 'adoptOperations' && !isTold) throw unavailable('none');
    };
    const { id } = await leaving.accept(kind, { row: 'a' });
    await until('it runs', () => visits.length === 1);
    await leaving.engine.stop(50);
    visits[0]!.gate.open();
    await until('the other one runs it', () => visits.length === 2);
    visits[1]!.gate.open();
    const operation = await staying.ended(id);
    assert.deepEqual([operation.status, operation.takeovers], ['completed', 0]);
  });
});

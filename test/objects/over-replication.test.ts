import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEveryStore } from '../support/stores.ts';
import { assertClean, copy, count, put, read } from './acts.ts';
import type { WriteFate } from './intercepted-store.ts';
import { type Lab, labBackends, openLab } from './lab.ts';

const { signal } = new AbortController();
const hourMs = 3_600_000;

/** Each key with two copies on m1 and m2, then m1 away for so long that they were made on m3 as well. */
async function withOutage(lab: Lab, number: number): Promise<void> {
  await lab.bucket('b', { copies: 2 });
  for (let index = 0; index < number; index++) await put(lab, 'b', `k${index}`, `content ${index}`);
  lab.backends[0]!.backend.faults.push({ verb: 'health', times: Number.POSITIVE_INFINITY, effect: 'unreachable' });
  const { replicator } = lab.keepers({ unhealthyAfterMs: hourMs });
  await replicator.run(signal);
  assert.equal(await count(lab.store, 'copies'), 2 * number, 'not at once');
  lab.clock.advance(hourMs + 1);
  await replicator.run(signal);
}

async function typesOf(lab: Lab, resource: string): Promise<string[]> {
  const statement = 'select type from events where resource = ? order by seq';
  const rows = await lab.store.read((reader) => reader.rows<{ type: string }>(statement, [resource]));
  return rows.map(({ type }) => type);
}

onEveryStore('copies beyond what is wanted', (engine) => {
  test('failure 24: what cannot be reached is not counted: they are made while a backend is away, and let go when it is back', async () => {
    const lab = await openLab(engine, labBackends(3));
    await withOutage(lab, 5);
    const { replicator, overReplication } = lab.keepers({ unhealthyAfterMs: hourMs });
    assert.deepEqual(
      lab.backends.map(({ backend }) => backend.blobs.size),
      [5, 5, 5],
    );
    assert.deepEqual(await typesOf(lab, 'object-backend:m1'), ['object_backend.away']);
    await overReplication.run(signal);
    assert.equal(await count(lab.store, 'copies'), 15, 'what may be good yet is kept while its backend is away');
    await replicator.run(signal);
    assert.equal(await count(lab.store, 'copies'), 15, 'and nothing is made twice');
    lab.backends[0]!.backend.faults.length = 0;
    await replicator.run(signal);
    assert.deepEqual(await typesOf(lab, 'object-backend:m1'), ['object_backend.away', 'object_backend.back']);
    lab.clock.advance(hourMs);
    const plan = await overReplication.plan!(signal);
    assert.deepEqual([plan.count, plan.isExact], [5, true]);
    assert.equal(await overReplication.run(signal), '5 copies let go, 0 contents left for later');
    await assertClean(lab);
    assert.equal((await lab.check()).copies, 10);
    for (let index = 0; index < 5; index++) assert.equal(String(await read(lab, 'b', `k${index}`)), `content ${index}`);
    await lab.close();
  });

  test('of a backend that is away for a moment are not made, and a restart does not begin to wait anew', async () => {
    const lab = await openLab(engine, labBackends(3));
    await lab.bucket('b', { copies: 2 });
    await put(lab, 'b', 'k', 'content');
    const { faults } = lab.backends[0]!.backend;
    faults.push({ verb: 'health', times: 1, effect: 'unreachable' });
    const { replicator } = lab.keepers({ unhealthyAfterMs: hourMs });
    await replicator.run(signal);
    await replicator.run(signal);
    assert.equal(await count(lab.store, 'backend_outages'), 0);
    faults.push({ verb: 'health', times: Number.POSITIVE_INFINITY, effect: 'unreachable' });
    lab.clock.advance(hourMs);
    await replicator.run(signal);
    lab.clock.advance(hourMs);
    const next = await lab.restart();
    await next.keepers({ unhealthyAfterMs: hourMs }).replicator.run(signal);
    assert.equal(lab.backends[2]!.backend.blobs.size, 1);
    await lab.close();
  });

  test('failure 19: with all backends away nothing is made, let go or given up, and all goes on by itself', async () => {
    const lab = await openLab(engine, labBackends(3));
    await lab.bucket('b', { copies: 2 });
    for (let index = 0; index < 4; index++) await put(lab, 'b', `k${index}`, `content ${index}`);
    const verbs = ['health', 'get', 'put', 'head'] as const;
    for (const { backend } of lab.backends) {
      backend.faults.push(
        ...verbs.map((verb) => ({ verb, times: Number.POSITIVE_INFINITY, effect: 'unreachable' as const })),
      );
    }
    const { replicator, overReplication } = lab.keepers({ unhealthyAfterMs: hourMs });
    for (let run = 0; run < 3; run++) {
      lab.clock.advance(hourMs);
      for (const keeper of [replicator, overReplication]) await keeper.run(signal);
    }
    assert.equal(await count(lab.store, 'backend_outages'), 3);
    assert.deepEqual([await count(lab.store, 'copies'), await count(lab.store, 'shortfalls')], [8, 0]);
    // One comes back: what stands there can be made elsewhere as soon as there is an elsewhere.
    for (const { backend } of [lab.backends[0]!, lab.backends[2]!]) backend.faults.length = 0;
    for (let run = 0; run < 3; run++) await replicator.run(signal);
    assert.deepEqual(
      lab.backends.map(({ backend }) => backend.blobs.size),
      [4, 4, 4],
    );
    lab.backends[1]!.backend.faults.length = 0;
    await replicator.run(signal);
    lab.clock.advance(hourMs);
    await assertClean(lab);
    assert.equal((await lab.check()).copies, 8);
    await lab.close();
  });

  test('are let go when a bucket wants fewer, from the fullest backends, unless another bucket wants them', async () => {
    const lab = await openLab(engine, labBackends(3, { quotaBytes: 1_000_000 }));
    await lab.bucket('b', { copies: 3 });
    await lab.bucket('other', { copies: 3 });
    await lab.bucket('one');
    await put(lab, 'one', 'filling', Buffer.alloc(50_000));
    for (let index = 0; index < 4; index++) await put(lab, 'b', `k${index}`, `content ${index}`);
    await copy(lab, ['b', 'k0'], ['other', 'k']);
    await lab.gateway.buckets.update('b', (settings) => ({ ...settings, copies: 2 }), 'tester');
    const { replicator, overReplication } = lab.keepers();
    await replicator.run(signal);
    assert.equal(await count(lab.store, 'surpluses'), 3);
    await overReplication.run(signal);
    await assertClean(lab);
    assert.equal((await lab.check()).copies, 1 + 3 + 3 * 2);
    assert.equal(lab.backends[0]!.backend.blobs.size, 2, 'the fullest has the filling and what two buckets share');
    await lab.close();
  });

  test('failure "cleaner could remove the last copy": none goes while those that are to stay cannot be read', async () => {
    const lab = await openLab(engine, labBackends(2));
    await lab.bucket('b', { copies: 2 });
    await put(lab, 'b', 'k', 'content');
    await lab.gateway.buckets.update('b', (settings) => ({ ...settings, copies: 1 }), 'tester');
    const { replicator, overReplication } = lab.keepers();
    await replicator.run(signal);
    // Of two equal ones the last to be filled would go; the one that is to stay has lost its bytes.
    const [blob] = lab.backends[0]!.backend.blobs;
    lab.backends[0]!.backend.blobs.clear();
    assert.equal(await overReplication.run(signal), '0 copies let go, 1 contents left for later');
    assert.equal(lab.backends[1]!.backend.blobs.size, 1);
    lab.clock.advance(hourMs);
    lab.backends[0]!.backend.faults.push({ verb: 'head', times: 1, effect: 'unreachable' });
    assert.equal(await overReplication.run(signal), '0 copies let go, 1 contents left for later');
    assert.equal(String(await read(lab, 'b', 'k')), 'content');
    lab.backends[0]!.backend.blobs.set(...blob!);
    lab.clock.advance(hourMs);
    await assertClean(lab);
    assert.equal((await lab.check()).copies, 1);
    await lab.close();
  });

  test('none goes when a copy that was looked at is gone by the time of the deletion, or more are wanted by then', async () => {
    const lab = await openLab(engine, labBackends(2));
    await lab.bucket('b', { copies: 2 });
    await put(lab, 'b', 'k', 'content');
    await lab.gateway.buckets.update('b', (settings) => ({ ...settings, copies: 1 }), 'tester');
    const { replicator, overReplication } = lab.keepers();
    await replicator.run(signal);
    lab.store.fate = async (name): Promise<WriteFate> => {
      if (name === 'dropSurplus') await lab.setState('m1', 'draining');
      return 'pass';
    };
    assert.equal(await overReplication.run(signal), '0 copies let go, 1 contents left for later');
    lab.store.fate = () => 'pass';
    await lab.setState('m1', 'active');
    assert.equal(await count(lab.store, 'copies'), 2);
    lab.clock.advance(hourMs);
    assert.equal(await overReplication.run(signal), '1 copies let go, 0 contents left for later');
    await assertClean(lab);
    await lab.close();
  });
});

onEveryStore('the replicator', (engine) => {
  test('failure 25: remembers which targets failed for a content, and does not try them first again', async () => {
    const lab = await openLab(engine, labBackends(6));
    await lab.bucket('b', { copies: 2, durability: 'one' });
    for (const { backend } of lab.backends.slice(1, 5)) {
      backend.faults.push({ verb: 'put', times: Number.POSITIVE_INFINITY, effect: 'full' });
    }
    await put(lab, 'b', 'k', 'content');
    await lab.gateway.writer.settle();
    const putsOf = (at: number) => lab.backends[at]!.backend.calls.filter(({ verb }) => verb === 'put').length;
    await lab.keepers().replicator.run(signal);
    assert.deepEqual([1, 2, 3, 4, 5].map(putsOf), [2, 1, 1, 0, 0], 'three targets in one attempt');
    lab.clock.advance(60_000);
    await lab.keepers().replicator.run(signal);
    assert.deepEqual([1, 2, 3, 4, 5].map(putsOf), [2, 1, 1, 1, 1], 'then the others, in a new process as well');
    await assertClean(lab);
    await lab.close();
  });

  test('reads again what it wrote where it is told to, and counts nothing that comes back otherwise', async () => {
    const lab = await openLab(engine, labBackends(3));
    await lab.bucket('b', { copies: 2, durability: 'one' });
    lab.backends[1]!.backend.faults.push({ verb: 'put', times: 1, effect: 'fail' });
    await put(lab, 'b', 'k', 'content');
    await lab.gateway.writer.settle();
    // It takes what it is given, and lays down something else.
    lab.backends[1]!.backend.faults.push({ verb: 'put', times: 1, effect: 'corrupt', afterBytes: 20 });
    await lab.keepers({ readBack: 'always' }).replicator.run(signal);
    const rows = await lab.store.read((reader) =>
      reader.rows<{ backend: string }>('select backend from copies order by backend', []),
    );
    assert.deepEqual(
      rows.map(({ backend }) => backend),
      ['m1', 'm3'],
    );
    await assertClean(lab);
    await lab.close();
  });
});

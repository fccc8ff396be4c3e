import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FaultEffect } from '../../src/objects/backends/memory/faults.ts';
import { claimCleanup, cleanupAttemptsMax, finishCleanup, requeueCleanup } from '../../src/objects/ledger/cleanup.ts';
import { claimShortfalls } from '../../src/objects/ledger/shortfalls.ts';
import { onEveryStore } from '../support/stores.ts';
import { assertClean, assertEmpty, copy, count, put, read, remove, usedBytes } from './acts.ts';
import type { WriteFate } from './intercepted-store.ts';
import { type Lab, labBackends, openLab } from './lab.ts';

const { signal } = new AbortController();

function repeated(effect: FaultEffect, times = Number.POSITIVE_INFINITY) {
  return { verb: 'delete', times, effect } as const;
}

/** Keys from `k0` on, with one copy each, all deleted and none cleaned up. */
async function withDeletions(lab: Lab, number: number): Promise<void> {
  await lab.bucket('b');
  for (let index = 0; index < number; index++) await put(lab, 'b', `k${index}`, 'content');
  for (let index = 0; index < number; index++) await remove(lab, 'b', `k${index}`);
}

onEveryStore('keepers of the gateway', (engine) => {
  test('failure 6: two processes share deletions, each is worked on once, and those of a dead one come back', async () => {
    const lab = await openLab(engine, labBackends(1));
    const other = await lab.another();
    await withDeletions(lab, 30);
    const claim = (owner: string, limit: number) =>
      lab.store.write(claimCleanup, { owner, limit, nowMs: lab.clock.nowMs(), leaseMs: 60_000 });
    const claims = await Promise.all(Array.from({ length: 6 }, (_, index) => claim(`o${index}`, 4)));
    const ids = claims.flat().map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length, 'no row is claimed twice');
    assert.ok(ids.length >= 4, 'claims do not wait for each other in vain');
    // One finishes its work, the others die; somebody who lost a claim changes nothing any more.
    for (const { storage_key } of claims[0]!) lab.backends[0]!.backend.blobs.delete(storage_key);
    const finish = { ids: claims[0]!.map(({ id }) => id), nowMs: lab.clock.nowMs(), secondLookMs: 0 };
    await lab.store.write(finishCleanup, { ...finish, owner: 'somebody else' });
    assert.equal(await count(lab.store, 'cleanup'), 30);
    await lab.store.write(finishCleanup, { ...finish, owner: 'o0' });
    assert.equal(await count(lab.store, 'cleanup'), 30 - claims[0]!.length);
    const before = lab.backends[0]!.backend.calls.length;
    await Promise.all([lab, other].map((one) => one.keepers().cleanup.run(signal)));
    const deleted = lab.backends[0]!.backend.calls.slice(before).map(({ key }) => key);
    assert.equal(new Set(deleted).size, deleted.length, 'nothing is deleted twice');
    assert.equal(deleted.length, 30 - ids.length);
    lab.clock.advance(60_001);
    await other.keepers().cleanup.run(signal);
    await assertClean(lab);
    await other.close();
    await lab.close();
  });

  test('failure 6: contents that want copies are claimed once, and those of a dead process come back', async () => {
    const lab = await openLab(engine, labBackends(3));
    await lab.bucket('b', { copies: 2, durability: 'one' });
    lab.backends[1]!.backend.faults.push({ verb: 'put', times: 10, effect: 'fail' });
    for (let index = 0; index < 10; index++) await put(lab, 'b', `k${index}`, 'content');
    await lab.gateway.writer.settle();
    const claim = { limit: 5, nowMs: lab.clock.nowMs(), leaseMs: 900_000 };
    const dead = await lab.store.write(claimShortfalls, { ...claim, owner: 'dead' });
    const alive = await lab.another();
    await Promise.all([lab, alive].map((one) => one.keepers().replicator.run(signal)));
    assert.equal(await count(lab.store, 'shortfalls'), dead.length);
    lab.clock.advance(900_001);
    await alive.keepers().replicator.run(signal);
    await assertClean(lab);
    assert.equal((await lab.check()).copies, 20);
    await alive.close();
    await lab.close();
  });

  test('failure 7: bytes that cannot be deleted stay on the books, become dead letters and are tried again', async () => {
    const lab = await openLab(engine, labBackends(1));
    await withDeletions(lab, 2);
    const { backend } = lab.backends[0]!;
    const owed = await usedBytes(lab.store, 'm1');
    assert.equal(owed, backend.usedBytes);
    backend.faults.push(repeated('fail'));
    const { cleanup } = lab.keepers();
    for (let attempt = 1; attempt <= cleanupAttemptsMax; attempt++) {
      assert.equal((await lab.check()).deadLetters, 0);
      await cleanup.run(signal);
      assert.equal(await usedBytes(lab.store, 'm1'), owed);
      lab.clock.advance(86_400_000);
    }
    const report = await lab.check();
    assert.deepEqual([report.deadLetters, report.waitingDeletions, report.findings], [2, 0, []]);
    await cleanup.run(signal);
    assert.equal(backend.blobs.size, 2);
    backend.faults.length = 0;
    assert.equal(await lab.store.write(requeueCleanup, { backend: 'other', nowMs: lab.clock.nowMs() }), 0);
    assert.equal(await lab.store.write(requeueCleanup, { backend: null, nowMs: lab.clock.nowMs() }), 2);
    await assertEmpty(lab);
    await lab.close();
  });

  test('failure 7: what is gone already counts as deleted, and a lost answer is asked for again', async () => {
    const lab = await openLab(engine, labBackends(1));
    await withDeletions(lab, 3);
    const { backend } = lab.backends[0]!;
    backend.blobs.delete([...backend.blobs.keys()][0]!);
    backend.faults.push(repeated('lost_answer', 1));
    await assertEmpty(lab);
    await lab.close();
  });

  test('a deletion is in the ledger before it is done, and once the ledger answers again it is done', async () => {
    const lab = await openLab(engine, labBackends(1));
    await withDeletions(lab, 2);
    lab.store.fate = (name) => (name === 'finishCleanup' ? 'lose' : 'pass');
    await assert.rejects(lab.keepers().cleanup.run(signal), { kind: 'unavailable' });
    lab.store.fate = (name) => (name === 'claimCleanup' ? 'lose' : 'pass');
    await assert.rejects(lab.keepers().cleanup.run(signal), { kind: 'unavailable' });
    lab.store.fate = () => 'pass';
    lab.clock.advance(600_000);
    await assertEmpty(lab);
    await lab.close();
  });

  test('the replicator goes on to another source when a copy cannot be read', async () => {
    const lab = await openLab(engine, labBackends(3));
    await lab.bucket('b', { copies: 3, durability: 'quorum' });
    lab.backends[2]!.backend.faults.push({ verb: 'put', times: 1, effect: 'fail' });
    await put(lab, 'b', 'k', 'content');
    const [[key, blob]] = [...lab.backends[0]!.backend.blobs] as [[string, { bytes: Buffer; modifiedAtMs: number }]];
    const damaged = Buffer.from(blob.bytes);
    damaged[0]! ^= 1;
    lab.backends[0]!.backend.blobs.set(key, { ...blob, bytes: damaged });
    await lab.settle();
    assert.equal(lab.backends[2]!.backend.blobs.size, 1, 'a third copy was made of the one that is whole');
    assert.equal(String([...lab.backends[2]!.backend.blobs.values()][0]!.bytes.subarray(0, 7)), 'content');
    await lab.close();
  });

  test('failure 25: the replicator goes on to another target when one fails always', async () => {
    const lab = await openLab(engine, labBackends(3));
    await lab.bucket('b', { copies: 2, durability: 'one' });
    lab.backends[1]!.backend.faults.push({ verb: 'put', times: Number.POSITIVE_INFINITY, effect: 'full' });
    await put(lab, 'b', 'k', 'content');
    await assertClean(lab);
    assert.equal(lab.backends[2]!.backend.blobs.size, 1);
    await lab.close();
  });

  test('a copy to a bucket that wants more copies gets them, though fewer are owed already', async () => {
    const lab = await openLab(engine, labBackends(3));
    await lab.bucket('two', { copies: 2, durability: 'one' });
    await lab.bucket('three', { copies: 3, durability: 'one' });
    lab.backends[1]!.backend.faults.push({ verb: 'put', times: 1, effect: 'fail' });
    await put(lab, 'two', 'k', 'content');
    await lab.gateway.writer.settle();
    await copy(lab, ['two', 'k'], ['three', 'k']);
    await assertClean(lab);
    assert.equal((await lab.check()).copies, 3);
    await lab.close();
  });

  test('what is owed while the replicator works on a content is not forgotten', async () => {
    const lab = await openLab(engine, labBackends(3));
    await lab.bucket('two', { copies: 2, durability: 'one' });
    await lab.bucket('three', { copies: 3, durability: 'one' });
    lab.backends[1]!.backend.faults.push({ verb: 'put', times: 1, effect: 'fail' });
    await put(lab, 'two', 'k', 'content');
    await lab.gateway.writer.settle();
    lab.store.fate = async (name): Promise<WriteFate> => {
      if (name !== 'settleShortfall') return 'pass';
      lab.store.fate = () => 'pass';
      await copy(lab, ['two', 'k'], ['three', 'k']);
      return 'pass';
    };
    await lab.keepers().replicator.run(signal);
    await assertClean(lab);
    assert.equal((await lab.check()).copies, 3);
    await lab.close();
  });

  test('a copy that is made later goes to another failure domain while there is a choice', async () => {
    const zones = ['x', 'x', 'y', 'y'];
    const lab = await openLab(
      engine,
      labBackends(4).map((one, index) => ({ ...one, labels: { zone: zones[index]! } })),
    );
    await lab.bucket('b', { copies: 2, durability: 'one', failureDomain: 'zone' });
    await lab.setState('m1', 'draining');
    lab.backends[2]!.backend.faults.push({ verb: 'put', times: 1, effect: 'fail' });
    await put(lab, 'b', 'k', 'content');
    await lab.setState('m1', 'active');
    await assertClean(lab);
    assert.equal(String(await read(lab, 'b', 'k')), 'content');
    const held = lab.backends.filter(({ backend }) => backend.blobs.size > 0).map(({ labels }) => labels?.['zone']);
    assert.deepEqual(held.toSorted(), ['x', 'y']);
    await lab.close();
  });
});

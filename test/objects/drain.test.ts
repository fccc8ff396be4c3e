import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { drainProgress } from '../../src/objects/backends/management/drain-progress.ts';
import { setBackendState } from '../../src/objects/backends/management/drain.ts';
import { beginPurge, planPurge } from '../../src/objects/backends/management/purge.ts';
import { onEveryStore } from '../support/stores.ts';
import { until } from '../support/wait.ts';
import { assertClean, beginUpload, complete, copy, put, putPart, read } from './acts.ts';
import type { WriteFate } from './intercepted-store.ts';
import { type Lab, labBackends, openLab } from './lab.ts';

const { signal } = new AbortController();

async function copiesOn(lab: Lab, backend: string): Promise<number> {
  const statement = 'select count(*) as n from copies where backend = ?';
  const [row] = await lab.store.read((reader) => reader.rows<{ n: number | string }>(statement, [backend]));
  return Number(row!.n);
}

async function typesOf(lab: Lab, resource: string): Promise<string[]> {
  const statement = 'select type from events where resource = ? order by seq';
  const rows = await lab.store.read((reader) => reader.rows<{ type: string }>(statement, [resource]));
  return rows.map(({ type }) => type);
}

async function intentsOn(lab: Lab, backend: string): Promise<number> {
  const statement = 'select count(*) as n from intents where backend = ?';
  const [row] = await lab.store.read((reader) => reader.rows<{ n: number | string }>(statement, [backend]));
  return Number(row!.n);
}

onEveryStore('draining a backend', (engine) => {
  test('failure 18: raced with puts of two gateways, nothing is admitted after it and all copies move', async () => {
    const lab = await openLab(engine, labBackends(3));
    // Another process, whose own picture of the backends is old.
    const other = await lab.another();
    await lab.bucket('b', { copies: 2, durability: 'one' });
    const contents = new Map<string, Buffer>();
    let isDrained = false;
    const writer = async (one: Lab, name: string) => {
      for (let index = 0; index < 20; index++) {
        const [key, bytes] = [`${name}-${index}`, randomBytes(500 + index)];
        const wasDrained = isDrained;
        const version = await put(one, 'b', key, bytes);
        contents.set(key, bytes);
        if (!wasDrained) continue;
        const statement = `select count(*) as n from copies where content_id = ? and backend = 'm1'`;
        const [row] = await lab.store.read((reader) => reader.rows<{ n: number }>(statement, [version.contentId]));
        assert.equal(Number(row!.n), 0, 'a write that began later stands elsewhere');
      }
    };
    const writing = Promise.all([writer(lab, 'a'), writer(other, 'b'), writer(other, 'c')]);
    await Promise.race([writing, until('some are written', () => contents.size >= 15)]);
    await lab.setState('m1', 'draining');
    isDrained = true;
    await writing;
    await other.gateway.writer.settle();
    await assertClean(lab);
    assert.equal(await copiesOn(lab, 'm1'), 0);
    assert.equal(lab.backends[0]!.backend.blobs.size, 0);
    for (const [key, bytes] of contents) assert.deepEqual(await read(lab, 'b', key), bytes);
    await other.close();
    await lab.close();
  });

  test('failure 18: goes on after a restart in the middle, and reads go on all the while', async () => {
    const lab = await openLab(engine, labBackends(3));
    await lab.bucket('b', { copies: 2 });
    for (let index = 0; index < 12; index++) await put(lab, 'b', `k${index}`, `content ${index}`);
    await lab.setState('m1', 'draining');
    // It dies while it moves: what it claimed is nobody's until its lease ends.
    let moves = 0;
    lab.store.fate = (name) =>
      name === 'dropCopy' && ++moves > 4 ? 'refuse' : name === 'settleShortfall' && moves > 4 ? 'refuse' : 'pass';
    await lab
      .keepers()
      .replicator.run(signal)
      .catch(() => {});
    assert.ok((await copiesOn(lab, 'm1')) > 0, 'it is in the middle');
    const next = await lab.restart();
    for (let index = 0; index < 12; index++)
      assert.equal(String(await read(next, 'b', `k${index}`)), `content ${index}`);
    await assertClean(next);
    assert.equal(await copiesOn(next, 'm1'), 0);
    assert.equal(next.backends[0]!.backend.blobs.size, 0);
    await lab.close();
  });

  test('failure 18: waits for room elsewhere, lets nothing go before it, and ends by itself', async () => {
    const lab = await openLab(engine, labBackends(2));
    await lab.bucket('b', { copies: 2 });
    await put(lab, 'b', 'k', 'content');
    await lab.setState('m1', 'draining');
    await lab.settle(3);
    assert.deepEqual([await copiesOn(lab, 'm1'), await copiesOn(lab, 'm2')], [1, 1]);
    assert.deepEqual((await lab.check()).findings, []);
    await lab.setState('m1', 'active');
    await assertClean(lab);
    assert.deepEqual([await copiesOn(lab, 'm1'), await copiesOn(lab, 'm2')], [1, 1]);
    await lab.close();
  });

  test('failure 18: a write that was admitted before it ends well, and its copy moves as well', async () => {
    const lab = await openLab(engine, labBackends(2));
    await lab.bucket('b');
    let isDraining: Promise<void> | null = null;
    lab.store.fate = async (name): Promise<WriteFate> => {
      if (name === 'commitObject') await (isDraining ??= lab.setState('m1', 'draining'));
      return 'pass';
    };
    await put(lab, 'b', 'k', 'content');
    assert.equal(await copiesOn(lab, 'm1'), 1);
    await assertClean(lab);
    assert.deepEqual([await copiesOn(lab, 'm1'), await copiesOn(lab, 'm2'), await intentsOn(lab, 'm1')], [0, 1, 0]);
    assert.equal(String(await read(lab, 'b', 'k')), 'content');
    await lab.close();
  });

  test('failure 18: parts of open uploads move too, and become the same object', async () => {
    const lab = await openLab(engine, labBackends(2));
    await lab.bucket('b');
    const upload = await beginUpload(lab, 'b', 'k');
    const bytes = randomBytes(5 * 1024 ** 2);
    const first = await putPart(lab, upload, 1, bytes);
    await lab.setState('m1', 'draining');
    await assertClean(lab);
    assert.equal(lab.backends[0]!.backend.blobs.size, 0);
    const last = await putPart(lab, upload, 2, Buffer.from('end'));
    await complete(lab, upload, [first, last]);
    assert.deepEqual(await read(lab, 'b', 'k'), Buffer.concat([bytes, Buffer.from('end')]));
    await assertClean(lab);
    await lab.close();
  });

  test('failure 18: tells how far it is and what blocks it, and that it is complete once', async () => {
    const lab = await openLab(engine, labBackends(3));
    await lab.bucket('free');
    for (let index = 0; index < 3; index++) await put(lab, 'free', `k${index}`, 'content');
    await lab.bucket('wide', { copies: 3 });
    await put(lab, 'wide', 'k', 'content');
    const doing = { actor: 'ann', nowMs: lab.clock.nowMs() };
    await lab.store.write(setBackendState, { name: 'm1', state: 'draining', doing });
    await lab.setState('m1', 'draining');
    const { replicator, drains, cleanup } = lab.keepers();
    const progress = async () => (await lab.store.read((reader) => drainProgress(reader, 'm1')))!;
    const before = await progress();
    assert.ok(before.bytesLeft > 0n && before.completedAtMs === null && before.secondsLeft === null);
    await drains.run(signal);
    await replicator.run(signal);
    await cleanup.run(signal);
    lab.clock.advance(10_000);
    await drains.run(signal);
    const middle = await progress();
    assert.ok(middle.bytesLeft > 0n && middle.bytesLeft < before.bytesLeft);
    assert.ok(middle.bytesPerSecond! > 0 && middle.secondsLeft! > 0);
    assert.deepEqual(middle.blocked, [{ reason: 'There is no other active backend that has no copy yet.', count: 1 }]);
    await lab.gateway.buckets.update('wide', (settings) => ({ ...settings, copies: 2 }), 'tester');
    await assertClean(lab);
    const told = [await drains.run(signal), await drains.run(signal)];
    assert.deepEqual(told, ['1 backends drain or are purged; m1 is empty', '1 backends drain or are purged']);
    assert.deepEqual(await typesOf(lab, 'object-backend:m1'), ['object_backend.draining', 'drain.completed']);
    const after = await progress();
    assert.deepEqual([after.bytesLeft, after.completedAtMs !== null, after.blocked], [0n, true, []]);
    await lab.store.write(setBackendState, { name: 'm1', state: 'active', doing });
    assert.equal(await lab.store.read((reader) => drainProgress(reader, 'm1')), null);
    await lab.close();
  });

  test('a backend that is lost for good is purged: what has other copies is made anew, and the rest is told as lost', async () => {
    const lab = await openLab(engine, labBackends(3));
    await lab.bucket('one', { versioning: 'enabled' });
    await lab.bucket('two', { copies: 2 });
    for (let index = 0; index < 3; index++) await put(lab, 'two', `k${index}`, `content ${index}`);
    await lab.setState('m1', 'draining');
    const old = await put(lab, 'one', 'k', 'of before');
    await lab.setState('m1', 'active');
    await put(lab, 'one', 'k', 'of now');
    await put(lab, 'one', 'deleted', 'content');
    const upload = await beginUpload(lab, 'one', 'upload');
    const first = await putPart(lab, upload, 1, Buffer.from('a part'));
    const plan = await planPurge(lab.store, 'm1');
    assert.deepEqual([plan.copies, plan.lostObjects, plan.lostSample], [6, 2, ['one/deleted', 'one/k']]);
    const doing = { actor: 'ann', nowMs: lab.clock.nowMs() };
    const begin = { name: 'm1', version: 1, plan, doing };
    await assert.rejects(lab.store.write(beginPurge, { ...begin, version: 7 }), { kind: 'conflict' });
    await lab.store.write(beginPurge, begin);
    await lab.setState('m1', 'purging');
    lab.backends[0]!.backend.blobs.clear();
    const said = await lab.keepers().drains.run(signal);
    assert.match(said, /6 copies on m1 forgotten, 2 objects lost, and it is removed/);
    assert.equal(String(await read(lab, 'one', 'k')), 'of before');
    assert.equal((await lab.gateway.objects.find({ bucket: 'one', key: 'k' })).version.versionId, old.versionId);
    await assert.rejects(complete(lab, upload, [first]));
    assert.ok((await typesOf(lab, 'object:one/k')).includes('object.lost'));
    assert.deepEqual(await typesOf(lab, 'object:one/deleted'), ['object.created', 'object.lost']);
    assert.deepEqual(await typesOf(lab, 'object-backend:m1'), ['object_backend.purging', 'object_backend.removed']);
    await assertClean(lab);
    assert.equal((await lab.check()).copies, 1 + 3 * 2);
    for (let index = 0; index < 3; index++)
      assert.equal(String(await read(lab, 'two', `k${index}`)), `content ${index}`);
    await lab.close();
  });

  test('a purge loses an object whole when one of its parts is lost, under every key that shares it, also amid writes', async () => {
    const lab = await openLab(engine, labBackends(2));
    await lab.bucket('b');
    const upload = await beginUpload(lab, 'b', 'in parts');
    const first = await putPart(lab, upload, 1, randomBytes(5 * 1024 ** 2));
    await lab.setState('m1', 'draining');
    const second = await putPart(lab, upload, 2, Buffer.from('end'));
    await complete(lab, upload, [first, second]);
    await copy(lab, ['b', 'in parts'], ['b', 'shared']);
    await put(lab, 'b', 'elsewhere', 'content');
    const plan = await planPurge(lab.store, 'm1');
    assert.deepEqual([plan.copies, plan.lostObjects, plan.lostSample], [1, 2, ['b/in parts', 'b/shared']]);
    const doing = { actor: 'ann', nowMs: lab.clock.nowMs() };
    await lab.store.write(beginPurge, { name: 'm1', version: 1, plan, doing });
    await lab.setState('m1', 'purging');
    lab.backends[0]!.backend.blobs.clear();
    // It dies before it has forgotten the backend itself.
    lab.store.fate = (name): WriteFate => (name === 'removeBackend' ? 'refuse' : 'pass');
    const writes = Array.from({ length: 10 }, (_, index) => put(lab, 'b', index < 5 ? 'in parts' : `k${index}`, 'new'));
    await assert.rejects(lab.keepers().drains.run(signal));
    await Promise.all(writes);
    lab.store.fate = () => 'pass';
    assert.match(await lab.keepers().drains.run(signal), /and it is removed/);
    assert.equal(String(await read(lab, 'b', 'in parts')), 'new');
    assert.equal(String(await read(lab, 'b', 'elsewhere')), 'content');
    await assert.rejects(read(lab, 'b', 'shared'));
    await assertClean(lab);
    assert.equal((await lab.check()).copies, 7);
    await lab.close();
  });
});

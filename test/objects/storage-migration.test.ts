import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { cancelMigration } from '../../src/objects/storage-migration/end.ts';
import { beginMigration } from '../../src/objects/storage-migration/begin.ts';
import { latestMigration, migrationFailures } from '../../src/objects/storage-migration/queries.ts';
import type { StorageMigration } from '../../src/objects/storage-migration/storage-migration.ts';
import { onEveryStore } from '../support/stores.ts';
import {
  assertClean,
  assertEmpty,
  beginUpload,
  chunked,
  complete,
  put,
  putPart,
  read,
  remove,
  usedBytes,
} from './acts.ts';
import { type Lab, labBackends, openLab, setTestQuota } from './lab.ts';

const { signal } = new AbortController();
const actor = 'operator';

async function begin(lab: Lab, source = 'm1', target = 'm2'): Promise<StorageMigration> {
  const wish = { id: `mig-${randomBytes(4).toString('hex')}`, source, target, parallel: 4, isReadBack: true };
  const migration = await lab.store.write(beginMigration, { ...wish, actor, nowMs: lab.clock.nowMs() });
  await lab.registry.refresh();
  return migration;
}

async function latest(lab: Lab): Promise<StorageMigration> {
  return (await lab.store.read(latestMigration))!;
}

function failures(lab: Lab) {
  return lab.store.read((reader) => migrationFailures(reader, { after: null, limit: 1_000 }));
}

/** Puts objects of many kinds; gives their bytes by key. */
async function fill(lab: Lab, count: number): Promise<Map<string, Buffer>> {
  const contents = new Map<string, Buffer>();
  for (let index = 0; index < count; index++) {
    const bytes = randomBytes(index * 97);
    await put(lab, 'b', `k${index}`, bytes);
    contents.set(`k${index}`, bytes);
  }
  const upload = await beginUpload(lab, 'b', 'in parts');
  const parts = [];
  for (const part of [1, 2]) parts.push(await putPart(lab, upload, part, chunked(5 * 1024 ** 2), 5 * 1024 ** 2));
  await complete(lab, upload, parts);
  return contents;
}

async function assertMoved(lab: Lab, contents: ReadonlyMap<string, Buffer>): Promise<void> {
  for (const [key, bytes] of contents) assert.deepEqual(await read(lab, 'b', key), bytes, key);
  assert.equal((await latest(lab)).state, 'completed');
  await assertClean(lab);
  assert.equal(lab.backends[0]!.backend.blobs.size, 0);
  assert.equal(await usedBytes(lab.store, 'm1'), 0);
}

onEveryStore('migrating from one backend to another', (engine) => {
  test('carries everything while it is written and read, switches, and leaves nothing behind', async () => {
    const lab = await openLab(engine, labBackends(2));
    const other = await lab.another();
    await lab.bucket('b', { copies: 1, versioning: 'enabled' });
    const contents = await fill(lab, 20);
    const started = await begin(lab);
    assert.equal(started.totalCopies, 22);
    let isEnded = false;
    const writer = async () => {
      for (let index = 0; !isEnded; index = (index + 1) % 20) {
        const key = `k${index}`;
        assert.deepEqual(await read(other, 'b', key), contents.get(key));
        const bytes = randomBytes(300);
        const version = await put(other, 'b', key, bytes);
        contents.set(key, bytes);
        const statement = `select count(*) as n from copies where content_id = ? and backend = 'm1'`;
        const [row] = await lab.store.read((reader) => reader.rows<{ n: number }>(statement, [version.contentId]));
        assert.equal(Number(row!.n), 0, 'what is written since stands on the target alone');
      }
    };
    const writing = writer();
    await lab.keepers().migrator.run(signal);
    isEnded = true;
    await writing;
    assert.equal((await read(lab, 'b', 'in parts')).length, 10 * 1024 ** 2);
    await assertMoved(lab, contents);
    assert.equal(
      (
        await lab.store.read((reader) =>
          reader.rows(`select 1 from object_backends where name = 'm1' and state = 'draining'`, []),
        )
      ).length,
      1,
    );
    await other.close();
    await lab.close();
  });

  test('goes on after a crash at any of its commits', async () => {
    for (const dies of ['claimMoves', 'joinMoves', 'switchMigration', 'dropTwins', 'finishMigration']) {
      for (const fate of ['drop', 'lose'] as const) {
        const lab = await openLab(engine, labBackends(2));
        await lab.bucket('b');
        const contents = await fill(lab, 5);
        await begin(lab);
        lab.store.fate = (name) => (name === dies ? fate : 'pass');
        await assert.rejects(lab.keepers().migrator.run(signal), { kind: 'unavailable' });
        const next = await lab.restart();
        await next.keepers().intents.run(signal);
        await next.keepers().migrator.run(signal);
        await assertMoved(next, contents);
        await next.close();
      }
    }
  });

  test('lists what cannot be read, does not switch, and never loses the source', async () => {
    const lab = await openLab(engine, labBackends(2));
    await lab.bucket('b');
    const contents = await fill(lab, 3);
    const { blobs } = lab.backends[0]!.backend;
    const version = await put(lab, 'b', 'rotten', randomBytes(100));
    const [row] = await lab.store.read((reader) =>
      reader.rows<{ storage_key: string }>('select storage_key from copies where content_id = ?', [version.contentId]),
    );
    blobs.get(row!.storage_key)!.bytes[7]! ^= 1;
    await begin(lab);
    const { migrator } = lab.keepers();
    await assert.rejects(migrator.run(signal), /1 could not be moved yet/);
    await assert.rejects(migrator.run(signal), /1 could not be moved yet/);
    const [failure] = await failures(lab);
    assert.match(failure!.error, /damaged/);
    assert.equal(failure!.attempts, 1, 'it is not tried again before its time');
    assert.equal((await latest(lab)).state, 'copying');
    assert.ok(blobs.has(row!.storage_key), 'the only copy stays where it is');
    lab.clock.advance(60_000);
    await assert.rejects(migrator.run(signal));
    assert.equal((await failures(lab))[0]!.attempts, 2);
    await remove(lab, 'b', 'rotten');
    await migrator.run(signal);
    await assertMoved(lab, contents);
    await lab.close();
  });

  test('takes what is rotten on the source from another copy', async () => {
    const lab = await openLab(engine, labBackends(3));
    await lab.bucket('b', { copies: 2 });
    const bytes = randomBytes(1_000);
    await put(lab, 'b', 'k', bytes);
    for (const { bytes: stored } of lab.backends[0]!.backend.blobs.values()) stored[3]! ^= 1;
    await begin(lab, 'm1', 'm3');
    await lab.keepers().migrator.run(signal);
    assert.deepEqual(await read(lab, 'b', 'k'), bytes);
    await assertClean(lab);
    assert.equal(lab.backends[0]!.backend.blobs.size, 0);
    assert.equal(lab.backends[2]!.backend.blobs.size, 1);
    await lab.close();
  });

  test('waits for nothing that came to stand on the target in another way', async () => {
    const lab = await openLab(engine, labBackends(2));
    await lab.bucket('b');
    await put(lab, 'b', 'k', 'content');
    await begin(lab);
    const { migrator, replicator } = lab.keepers();
    lab.calls.fate = () => 'drop';
    await assert.rejects(migrator.run(signal), /1 could not be moved yet/);
    lab.calls.fate = () => 'pass';
    await lab.gateway.buckets.update('b', (settings) => ({ ...settings, copies: 2 }), actor);
    await replicator.run(signal);
    await lab.gateway.buckets.update('b', (settings) => ({ ...settings, copies: 1 }), actor);
    assert.equal((await failures(lab)).length, 1);
    await migrator.run(signal);
    assert.equal((await latest(lab)).state, 'completed');
    await assertClean(lab);
    await lab.close();
  });

  test('waits for a target that is full, and goes on when there is room', async () => {
    const [source, target] = labBackends(2);
    const lab = await openLab(engine, [source!, { ...target!, quotaBytes: 2_000 }]);
    await lab.bucket('b');
    const contents = new Map<string, Buffer>();
    for (let index = 0; index < 10; index++) {
      contents.set(`k${index}`, randomBytes(400));
      await put(lab, 'b', `k${index}`, contents.get(`k${index}`)!);
    }
    await begin(lab);
    const { migrator } = lab.keepers();
    await assert.rejects(migrator.run(signal), /could not be moved yet/);
    assert.ok((await usedBytes(lab.store, 'm2')) <= 2_000);
    assert.match((await failures(lab))[0]!.error, /no room/);
    await lab.store.write(setTestQuota, { name: 'm2', quotaBytes: 100_000 });
    lab.clock.advance(60_000);
    await migrator.run(signal);
    await assertMoved(lab, contents);
    await lab.close();
  });

  test('cancelled, gives the target back and has the source take writes', async () => {
    const lab = await openLab(engine, labBackends(2));
    await lab.bucket('b');
    const contents = await fill(lab, 8);
    await begin(lab);
    await put(lab, 'b', 'written meanwhile', 'on the target');
    let joins = 0;
    lab.store.fate = (name) => (name === 'switchMigration' && ++joins > 0 ? 'refuse' : 'pass');
    await assert.rejects(lab.keepers().migrator.run(signal));
    lab.store.fate = () => 'pass';
    await lab.store.write(cancelMigration, { actor, nowMs: lab.clock.nowMs() });
    await lab.registry.refresh();
    await lab.keepers().migrator.run(signal);
    assert.equal((await latest(lab)).state, 'cancelled');
    await assertClean(lab);
    assert.equal(lab.backends[1]!.backend.blobs.size, 1, 'only what was written meanwhile is on the target');
    assert.equal(lab.backends[0]!.backend.blobs.size, 10);
    await put(lab, 'b', 'after', 'x');
    assert.equal(lab.backends[0]!.backend.blobs.size, 11);
    for (const [key, bytes] of contents) assert.deepEqual(await read(lab, 'b', key), bytes);
    assert.equal((await read(lab, 'b', 'written meanwhile')).toString(), 'on the target');
    await lab.close();
  });

  test('there is one at a time, between active backends', async () => {
    const lab = await openLab(engine, labBackends(3));
    await lab.setState('m3', 'draining');
    await assert.rejects(begin(lab, 'm1', 'm3'), { kind: 'conflict' });
    await assert.rejects(begin(lab, 'm1', 'nowhere'), { kind: 'not_found' });
    await begin(lab);
    await assert.rejects(begin(lab), /is under way/);
    await lab.store.write(cancelMigration, { actor, nowMs: lab.clock.nowMs() });
    await lab.keepers().migrator.run(signal);
    await assert.rejects(lab.store.write(cancelMigration, { actor, nowMs: 0 }), { kind: 'not_found' });
    await assertEmpty(lab);
    await lab.close();
  });
});

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { openTransaction } from '../../src/kernel/store/raw-transaction.ts';
import type { Store } from '../../src/kernel/store/store.ts';
import { s3CodeOf } from '../../src/objects/errors.ts';
import { onEveryStore } from '../support/stores.ts';
import { until } from '../support/wait.ts';
import { assertClean, assertEmpty, beginUpload, complete, copy, put, putPart, read, remove } from './acts.ts';
import type { WriteFate } from './intercepted-store.ts';
import { type Lab, labBackends, openLab } from './lab.ts';

/** How often the server has broken a ring of waiting transactions of this test's database. */
async function deadlockCount(store: Store): Promise<number> {
  const statement = 'select deadlocks as n from pg_stat_database where datname = current_database()';
  const [row] = await store.read((reader) => reader.rows<{ n: number | string }>(statement, []));
  return Number(row!.n);
}

async function waitingCount(store: Store): Promise<number> {
  const statement = `select count(*) as n from pg_stat_activity
    where wait_event_type = 'Lock' and datname = current_database()`;
  const [row] = await store.read((reader) => reader.rows<{ n: number }>(statement, []));
  return Number(row!.n);
}

/** What a writer must expect here; the last is told to a copy whose source is always another one. */
const endsOfRaces = new Set<unknown>(['NoSuchKey', 'ServiceUnavailable', 'OperationAborted']);

/** A writer that does all sorts of things to a few keys, and takes what comes of the others doing so too. */
async function busyWriter(lab: Lab, seed: number): Promise<void> {
  let state = seed;
  const next = (below: number) => (state = (state * 48_271) % 2_147_483_647) % below;
  const key = () => `k${next(4)}`;
  const place = (): [string, string] => [next(2) === 0 ? 'a' : 'b', key()];
  const acts: readonly (() => Promise<unknown>)[] = [
    () => put(lab, ...place(), randomBytes(100)),
    () => put(lab, ...place(), randomBytes(100)),
    () => copy(lab, place(), place()),
    () => copy(lab, place(), place()),
    () => remove(lab, ...place()),
    async () => {
      const upload = await beginUpload(lab, ...place());
      await complete(lab, upload, [await putPart(lab, upload, 1, randomBytes(50))]);
    },
    () => lab.gateway.objects.setTags({ bucket: 'a', key: key() }, { n: String(next(9)) }, 'tester'),
  ];
  for (let act = 0; act < 15; act++) {
    await acts[next(acts.length)]!().catch((error: unknown) => {
      const code = s3CodeOf(error);
      if (!endsOfRaces.has(code)) throw error;
    });
  }
}

onEveryStore('transactions at once', (engine) => {
  test('failure 4: writes, copies and deletions over several backends wait for each other in no ring', async () => {
    const lab = await openLab(engine, labBackends(3));
    const other = await lab.another();
    await lab.bucket('a', { copies: 2, durability: 'one', placement: 'spread' });
    await lab.bucket('b', { copies: 3, durability: 'quorum' });
    const before = engine.name === 'postgres' ? await deadlockCount(lab.store) : 0;
    const signal = new AbortController().signal;
    const keeping = [lab, other].map(async (one) => {
      const { cleanup, replicator } = one.keepers();
      for (let round = 0; round < 4; round++) {
        await cleanup.run(signal);
        await replicator.run(signal);
      }
    });
    const writing = Array.from({ length: 12 }, (_, index) =>
      busyWriter(index % 2 === 0 ? lab : other, 7 + index * 977),
    );
    await Promise.all([...writing, ...keeping]);
    await other.gateway.writer.settle();
    await assertClean(lab);
    if (engine.name === 'postgres') {
      // The server tells its counts once a second.
      await new Promise((resolve) => setTimeout(resolve, 1_100));
      assert.equal(await deadlockCount(lab.store), before);
    }
    for (const bucket of ['a', 'b']) for (const key of ['k0', 'k1', 'k2', 'k3']) await remove(lab, bucket, key);
    await assertEmpty(lab);
    await other.close();
    await lab.close();
  });

  if (engine.name !== 'postgres') return;

  test('failure 4: two copies that displace what the other shares wait for each other in no ring', async () => {
    const lab = await openLab(engine, labBackends(1));
    await lab.bucket('b');
    const before = await deadlockCount(lab.store);
    for (let round = 0; round < 6; round++) {
      await put(lab, 'b', 'a', 'A');
      await put(lab, 'b', 'b', 'B');
      await copy(lab, ['b', 'a'], ['b', 'holds-a']);
      await copy(lab, ['b', 'b'], ['b', 'holds-b']);
      await Promise.all([copy(lab, ['b', 'a'], ['b', 'holds-b']), copy(lab, ['b', 'b'], ['b', 'holds-a'])]);
    }
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    assert.equal(await deadlockCount(lab.store), before);
    await assertClean(lab);
    await lab.close();
  });

  test('a bucket that is deleted while an object is written to it has either', async () => {
    const lab = await openLab(engine, labBackends(1));
    await lab.bucket('b');
    const deleting = await openTransaction(lab.databaseUrl!, `delete from buckets where name = 'b'`);
    const late = put(lab, 'b', 'k', 'content').catch((error: unknown) => error);
    await until('the put waits', async () => (await waitingCount(lab.store)) === 1);
    await deleting.end('commit');
    assert.equal(s3CodeOf(await late), 'NoSuchBucket');
    await assertEmpty(lab);
    await lab.close();
  });

  test('a bucket that an object is written to while it is deleted stays', async () => {
    const lab = await openLab(engine, labBackends(1));
    await lab.bucket('b');
    for (const statement of [
      `insert into objects (bucket, object_key, version_id, seq, is_latest, is_marker, content_id, size_bytes, etag,
        attributes, owner, modified_at) values ('b', 'k', 'null', 1, 1, 1, null, 0, '', '{}', 'tester', 1)`,
      `insert into uploads (upload_id, bucket, object_key, owner, state, attributes, created_at)
        values ('u', 'b', 'k', 'tester', 'open', '{}', 1)`,
    ]) {
      const writing = await openTransaction(lab.databaseUrl!, statement);
      const deleting = lab.gateway.buckets.delete('b', 'tester').catch((error: unknown) => error);
      await until('the deletion waits', async () => (await waitingCount(lab.store)) === 1);
      await writing.end('commit');
      assert.equal(s3CodeOf(await deleting), 'BucketNotEmpty');
      await (await openTransaction(lab.databaseUrl!, 'delete from objects')).end('commit');
    }
    assert.equal((await lab.gateway.buckets.get('b')).name, 'b');
    await lab.close();
  });

  test('an upload begun while its bucket is deleted is refused', async () => {
    const lab = await openLab(engine, labBackends(1));
    await lab.bucket('b');
    const deleting = await openTransaction(lab.databaseUrl!, `delete from buckets where name = 'b'`);
    const late = beginUpload(lab, 'b', 'k').catch((error: unknown) => error);
    await until('the upload waits', async () => (await waitingCount(lab.store)) === 1);
    await deleting.end('commit');
    assert.equal(s3CodeOf(await late), 'NoSuchBucket');
    await lab.close();
  });

  test('a copy whose source is overwritten before it is read is all old or all new', async () => {
    const lab = await openLab(engine, labBackends(1));
    await lab.bucket('b');
    await put(lab, 'b', 'source', 'old', { attributes: { contentType: 'old/type', headers: {}, metadata: {} } });
    let isOverwritten = false;
    lab.store.fate = async (name): Promise<WriteFate> => {
      if (name !== 'shareContent' || isOverwritten) return 'pass';
      isOverwritten = true;
      await put(lab, 'b', 'source', 'new', { attributes: { contentType: 'new/type', headers: {}, metadata: {} } });
      return 'pass';
    };
    const made = await copy(lab, ['b', 'source'], ['b', 'target']);
    const bytes = String(await read(lab, 'b', 'target'));
    assert.equal(made.attributes.contentType, `${bytes}/type`);
    await assertClean(lab);
    await lab.close();
  });
});

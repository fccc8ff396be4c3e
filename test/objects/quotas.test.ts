import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { s3CodeOf } from '../../src/objects/errors.ts';
import { setQuota } from '../../src/objects/quotas/change-quota.ts';
import { usageKeeper } from '../../src/objects/quotas/keeper.ts';
import { findBook, listBooks, resolveSubject } from '../../src/objects/quotas/queries.ts';
import { listStandings, shareOf } from '../../src/objects/quotas/standings.ts';
import { runStatement } from '../../src/objects/backends/test-backends.ts';
import type { QuotaBook } from '../../src/objects/quotas/quota.ts';
import { beginCount, countPage } from '../../src/objects/quotas/count-page.ts';
import { compareBook, countBook } from '../../src/objects/quotas/recount.ts';
import type { GivenLimits } from '../../src/objects/quotas/limits.ts';
import { onEveryStore } from '../support/stores.ts';
import { assertClean, put, remove } from './acts.ts';
import { type Lab, labBackends, openLab } from './lab.ts';
import { quotaCommands, runQuotaCommands } from './quota-model.ts';
import { restoreKey } from '../../src/objects/rebuilding/restore-key.ts';
import type { ObjectRow } from '../../src/objects/tables.ts';
import { slowPlace, spoilBook } from './quota-transactions.ts';

const { signal } = new AbortController();

async function limit(lab: Lab, subject: string, limits: GivenLimits): Promise<QuotaBook> {
  const wish = { subject, bookId: `quo-${subject}`, limits, actor: 'tester', nowMs: lab.clock.nowMs() };
  const book = await lab.store.write(setQuota, wish);
  assert.ok(await countBook(lab.store, lab.clock, book, { patienceMs: 10_000 }));
  return (await lab.store.read((reader) => findBook(reader, subject)))!;
}

async function bookOf(lab: Lab, subject: string): Promise<QuotaBook> {
  return (await lab.store.read((reader) => findBook(reader, subject)))!;
}

async function assertBooked(lab: Lab): Promise<void> {
  const { findings } = await lab.check();
  assert.deepEqual(
    findings.filter(({ kind }) => kind === 'wrong_quota'),
    [],
  );
}

async function driftEvents(lab: Lab): Promise<Readonly<Record<string, unknown>>[]> {
  const rows = await lab.store.read((reader) =>
    reader.rows<{ data: string }>(`select data from events where type = 'quota.drift_mended'`, []),
  );
  return rows.map(({ data }) => JSON.parse(data) as Readonly<Record<string, unknown>>);
}

/** Gives whether it was taken; a refusal must be that of a quota. */
async function isTaken(attempt: Promise<unknown>): Promise<boolean> {
  try {
    await attempt;
    return true;
  } catch (error) {
    assert.equal(s3CodeOf(error), 'QuotaExceeded', String(error));
    return false;
  }
}

onEveryStore('quotas of buckets and users', (engine) => {
  test('refuse just what would pass them, and their books are what a model says', async () => {
    const lab = await openLab(engine, labBackends(1));
    const other = await lab.another();
    let run = 0;
    await fc.assert(
      fc.asyncProperty(quotaCommands, async (commands) => {
        const name = `r${++run}`;
        await lab.bucket(`${name}-plain`);
        await lab.bucket(`${name}-kept`, { versioning: 'enabled' });
        await limit(lab, `bucket:${name}-plain`, { bytes_max: 1_000, objects_max: 3 });
        await limit(lab, `bucket:${name}-kept`, { bytes_max: 1_500 });
        await limit(lab, `user:${name}-a`, { bytes_max: 1_800 });
        await runQuotaCommands([lab, other], name, commands);
        await assertBooked(lab);
      }),
      { numRuns: 12 },
    );
    await assertClean(lab);
    await other.close();
    await lab.close();
  });

  test('hold against writers at once on two gateways', async () => {
    const lab = await openLab(engine, labBackends(1));
    const other = await lab.another();
    await lab.bucket('b');
    await limit(lab, 'bucket:b', { bytes_max: 3_000, objects_max: 12 });
    await limit(lab, 'user:tester', { bytes_max: 2_500 });
    let taken = 0;
    for (let wave = 0; wave < 6; wave++) {
      const work = Array.from({ length: 12 }, async (_, index) => {
        const gateway = index % 2 === 0 ? lab : other;
        const key = `k${(wave * 5 + index) % 16}`;
        if (index % 6 === 5) await remove(gateway, 'b', key);
        else if (await isTaken(put(gateway, 'b', key, Buffer.alloc(150 + 20 * index)))) taken++;
      });
      await Promise.all(work);
      const book = await bookOf(lab, 'bucket:b');
      assert.ok(book.usedBytes <= 2_500 && book.usedObjects <= 12, JSON.stringify(book));
      assert.equal((await bookOf(lab, 'user:tester')).usedBytes, book.usedBytes);
      await assertBooked(lab);
    }
    assert.ok(taken > 10 && taken < 60, `${taken}`);
    assert.equal(await isTaken(put(lab, 'b', 'large', Buffer.alloc(2_600))), false);
    await assertClean(lab);
    await other.close();
    await lab.close();
  });

  test('become exact when they are set while everybody writes', async () => {
    const lab = await openLab(engine, labBackends(1));
    const other = await lab.another();
    await lab.bucket('b');
    let isEnded = false;
    const writer = async (gateway: Lab, name: string) => {
      for (let index = 0; !isEnded; index++) {
        await put(gateway, 'b', `${name}${index % 9}`, Buffer.alloc(index % 500));
        if (index % 7 === 0) await remove(gateway, 'b', `${name}${index % 5}`);
      }
    };
    const writers = ['x', 'y', 'z'].flatMap((name) => [writer(lab, name), writer(other, `o${name}`)]);
    try {
      for (let round = 0; round < 4; round++) {
        const subject = round % 2 === 0 ? 'bucket:b' : 'user:tester';
        await limit(lab, subject, { bytes_max: 1_000_000_000 });
        await assertBooked(lab);
      }
    } finally {
      isEnded = true;
      await Promise.all(writers);
    }
    const book = await bookOf(lab, 'bucket:b');
    assert.ok(book.usedObjects > 5 && book.usedBytes > 0);
    await assertClean(lab);
    await other.close();
    await lab.close();
  });

  test('are counted anew in pages of a few rows while commands come in between, and were right each time', async () => {
    const lab = await openLab(engine, labBackends(1));
    const other = await lab.another();
    let run = 0;
    let ended = 0;
    await fc.assert(
      fc.asyncProperty(quotaCommands, fc.infiniteStream(fc.nat({ max: 3 })), async (commands, pages) => {
        const name = `p${++run}`;
        await lab.bucket(`${name}-plain`);
        await lab.bucket(`${name}-kept`, { versioning: 'enabled' });
        const books = [
          await limit(lab, `bucket:${name}-plain`, { bytes_max: 1_000, objects_max: 3 }),
          await limit(lab, `bucket:${name}-kept`, { bytes_max: 1_500 }),
          await limit(lab, `user:${name}-a`, { bytes_max: 1_800 }),
        ];
        const countSome = async () => {
          for (const { subject, bookId } of books) {
            await lab.store.write(beginCount, { subject, bookId, isFinal: true });
            for (let left = pages.next().value as number; left > 0; left--) {
              const counted = await lab.store.write(countPage, { subject, bookId, pageRows: 1, nowMs: 1 });
              if (counted === 'going') continue;
              assert.deepEqual(counted, { bytes: 0, objects: 0 }, subject);
              ended++;
              break;
            }
          }
        };
        await runQuotaCommands([lab, other], name, commands, countSome);
        await assertBooked(lab);
      }),
      { numRuns: 12 },
    );
    assert.ok(ended > 12, `${ended}`);
    assert.deepEqual(await driftEvents(lab), []);
    await assertClean(lab);
    await other.close();
    await lab.close();
  });

  test('are counted anew while everybody writes, and are never wrong before or after', async () => {
    const lab = await openLab(engine, labBackends(1));
    const other = await lab.another();
    await lab.bucket('b');
    const subjects = ['bucket:b', 'user:tester'];
    for (const subject of subjects) await limit(lab, subject, { bytes_max: 1_000_000_000 });
    let isEnded = false;
    const writer = async (gateway: Lab, name: string) => {
      for (let index = 0; !isEnded; index++) {
        const key = `${'abcdefgh'[(index * 5) % 8]}-${name}`;
        if (index % 3 === 2) await remove(gateway, 'b', key);
        else await put(gateway, 'b', key, Buffer.alloc(1 + (index % 500)));
      }
    };
    const writers = ['x', 'y', 'z'].flatMap((name) => [writer(lab, name), writer(other, `o${name}`)]);
    try {
      for (let round = 0; round < 8; round++) {
        const book = await bookOf(lab, subjects[round % 2]!);
        // Of two that count at once, one ends the count and the other finds nothing to count any more, or begins another.
        const pages = { patienceMs: 30_000, pageRows: 1 + (round % 3) };
        const both = [lab, other].map((gateway) => compareBook(gateway.store, gateway.clock, book, pages));
        const counted = await Promise.all(both);
        assert.ok(counted.includes('right'), counted.join());
        assert.ok(!counted.includes('wrong') && !counted.includes('going'), counted.join());
        await assertBooked(lab);
      }
    } finally {
      isEnded = true;
      await Promise.all(writers);
    }
    assert.deepEqual(await driftEvents(lab), []);
    await assertClean(lab);
    await other.close();
    await lab.close();
  });

  test('go on being counted where an earlier count was cut off, and mend what has drifted', async () => {
    const lab = await openLab(engine, labBackends(1));
    await lab.bucket('b');
    for (const key of ['a', 'b', 'c', 'd']) await put(lab, 'b', key, Buffer.alloc(10));
    const book = await limit(lab, 'bucket:b', { bytes_max: 1_000 });
    await lab.store.write(spoilBook, { subject: 'bucket:b' });
    const cut = { patienceMs: -1, pageRows: 2 };
    assert.equal(await compareBook(lab.store, lab.clock, book, cut), 'going');
    await put(lab, 'b', 'a', Buffer.alloc(15));
    await put(lab, 'b', 'c', Buffer.alloc(25));
    assert.equal(await compareBook(lab.store, lab.clock, book, cut), 'going');
    assert.equal(await compareBook(lab.store, lab.clock, book, cut), 'wrong');
    const mended = await bookOf(lab, 'bucket:b');
    assert.deepEqual([mended.usedBytes, mended.usedObjects], [60, 4]);
    assert.deepEqual(
      (await driftEvents(lab)).map((data) => [data['drift_bytes'], data['drift_objects']]),
      [[7, 0]],
    );
    await assertClean(lab);
    await lab.close();
  });

  test('are counted from the start again when a rebuild enters what stood before', async () => {
    const lab = await openLab(engine, labBackends(1));
    await lab.bucket('b');
    for (const key of ['b', 'c', 'd']) await put(lab, 'b', key, Buffer.alloc(10));
    const book = await limit(lab, 'bucket:b', { bytes_max: 1_000 });
    const cut = { patienceMs: -1, pageRows: 2 };
    assert.equal(await compareBook(lab.store, lab.clock, book, cut), 'going');
    const [row] = await lab.store.read((reader) =>
      reader.rows<ObjectRow>(`select * from objects where object_key = 'b'`, []),
    );
    const versions = [{ ...row!, object_key: 'a', content_id: 'c-a', size_bytes: 5 }];
    await lab.store.write(restoreKey, {
      bucket: 'b',
      key: 'a',
      versions,
      uploads: [],
      parts: [],
      copies: [],
      nowMs: 1,
    });
    assert.equal((await bookOf(lab, 'bucket:b')).countedAtMs, null);
    assert.ok(await countBook(lab.store, lab.clock, book, { patienceMs: 10_000, pageRows: 2 }));
    assert.equal((await bookOf(lab, 'bucket:b')).usedBytes, 35);
    await assertBooked(lab);
    await lab.close();
  });

  const isNotCalledExact = async () => {
    const lab = await openLab(engine, labBackends(1));
    await lab.bucket('b');
    const content = { contentId: 'c-none', sizeBytes: 70, etag: 'e', tags: {}, lock: null, actor: 'slow', nowMs: 1 };
    const attributes = { contentType: '', headers: {}, metadata: {}, checksums: [] };
    const version = { bucket: 'b', key: 'slow', versionId: 'v', attributes, cause: 'put', ...content } as const;
    const [gate, placed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const writing = lab.store.write(slowPlace, { version, onPlaced: placed.resolve, gate: gate.promise });
    await placed.promise;
    const wish = { subject: 'bucket:b', bookId: 'quo-1', limits: { bytes_max: 100 }, actor: 'tester', nowMs: 1 };
    const book = await lab.store.write(setQuota, wish);
    assert.equal(await countBook(lab.store, lab.clock, book, { patienceMs: 100 }), false);
    assert.deepEqual(
      [(await bookOf(lab, 'bucket:b')).usedBytes, (await bookOf(lab, 'bucket:b')).countedAtMs],
      [0, null],
    );
    gate.resolve();
    await writing;
    await usageKeeper(lab.store, lab.clock, 1).run(signal);
    const counted = await bookOf(lab, 'bucket:b');
    assert.deepEqual([counted.usedBytes, counted.usedObjects, counted.countedAtMs !== null], [70, 1, true]);
    await lab.close();
  };
  // Where there is one writer at a time, nobody is in flight.
  if (engine.name === 'postgres') {
    test('are not called exact while a writer is in flight who has not seen them', isNotCalledExact);
  }

  test('refuse before a byte of the body is read, yet see at once what was deleted', async () => {
    const lab = await openLab(engine, labBackends(1));
    await lab.bucket('b');
    await limit(lab, 'bucket:b', { bytes_max: 1_000 });
    await put(lab, 'b', 'first', Buffer.alloc(900));
    let isRead = false;
    async function* body(): AsyncGenerator<Buffer> {
      isRead = true;
      yield Buffer.alloc(500);
    }
    // A gateway that has just come has taken its picture after the first object.
    const other = await lab.another();
    assert.equal(await isTaken(put(other, 'b', 'second', body(), { sizeBytes: 500 })), false);
    assert.equal(isRead, false);
    const books = await bookOf(lab, 'bucket:b');
    assert.deepEqual([books.usedBytes, books.usedObjects], [900, 1], 'nothing is left of what was refused');
    await remove(lab, 'b', 'first');
    await put(other, 'b', 'second', Buffer.alloc(1_000));
    assert.equal(await isTaken(put(lab, 'b', 'third', Buffer.alloc(1))), false);
    await put(lab, 'b', 'second', Buffer.alloc(400));
    await limit(lab, 'bucket:b', { bytes_max: 100 });
    assert.equal(await isTaken(put(lab, 'b', 'second', Buffer.alloc(401))), false);
    await put(lab, 'b', 'second', Buffer.alloc(399));
    await assertClean(lab);
    await other.close();
    await lab.close();
  });

  test('are listed in pages, with the names of users and what everybody used this month', async () => {
    const lab = await openLab(engine, labBackends(2, { quotaBytes: 1_000_000 }));
    const sql = (statement: string) => lab.store.write(runStatement, { sql: statement, values: [] });
    await sql(`insert into users (id, name, is_admin, version, created_at) values ('usr-1', 'alice', 0, 1, 0)`);
    await sql(`insert into subject_usage values ('bucket:b', '2026-11', 3, 30, 300), ('user:usr-1', '2026-11', 1, 2, 4),
      ('bucket:a', '2026-10', 9, 9, 9), ('bucket:c', '2026-11', 5, 6, 7)`);
    for (const name of ['a', 'b', 'c']) await lab.bucket(name);
    const subject = await lab.store.read((reader) => resolveSubject(reader, 'user:alice'));
    assert.equal(subject, 'user:usr-1');
    await limit(lab, subject, { month_egress_bytes_max: 40, objects_max: 2 });
    await limit(lab, 'bucket:b', { bytes_max: 100 });
    await put(lab, 'b', 'k', Buffer.alloc(25), { actor: 'usr-1' });
    const [first, second] = await lab.store.read((reader) => listBooks(reader, { after: '', limit: 9 }));
    assert.deepEqual([first!.subject, first!.usedBytes, first!.userName], ['bucket:b', 25, null]);
    assert.deepEqual([second!.subject, second!.usedObjects, second!.userName], ['user:usr-1', 1, 'alice']);
    const page = (after: string, count: number) =>
      lab.store.read((reader) => listStandings(reader, { month: '2026-11', after, limit: count }));
    const all = await page('', 9);
    const subjects = ['backend:m1', 'backend:m2', 'bucket:b', 'bucket:c', 'user:usr-1'];
    assert.deepEqual(
      all.map((one) => one.subject),
      subjects,
    );
    const used = all.map(({ gauges }) => gauges.map((gauge) => gauge.used));
    assert.deepEqual(used.slice(2), [
      [25, 1, 3, 30, 300],
      [null, null, 5, 6, 7],
      [25, 1, 1, 2, 4],
    ]);
    assert.ok(used[0]![0]! > 25, 'with its description');
    assert.equal(shareOf(all[4]!.gauges[4]!), 0.1);
    assert.equal(shareOf(all[3]!.gauges[0]!), null);
    const paged: string[] = [];
    for (let after = ''; ; after = paged.at(-1)!) {
      const found = await page(after, 2);
      if (found.length === 0) break;
      paged.push(...found.map((one) => one.subject));
    }
    assert.deepEqual(paged, subjects);
    await lab.close();
  });

  test('go with their bucket, and mend books that have drifted with an event', async () => {
    const lab = await openLab(engine, labBackends(1));
    await lab.bucket('b');
    await put(lab, 'b', 'k', Buffer.alloc(10));
    await limit(lab, 'bucket:b', { bytes_max: 1_000 });
    await lab.store.write(spoilBook, { subject: 'bucket:b' });
    assert.equal((await lab.check()).findings[0]?.kind, 'wrong_quota');
    lab.clock.advance(3_700_000);
    assert.match(await usageKeeper(lab.store, lab.clock, 1).run(signal), /1 mended/);
    await assertBooked(lab);
    assert.equal((await driftEvents(lab))[0]?.['drift_bytes'], 7);
    await remove(lab, 'b', 'k');
    await lab.gateway.buckets.delete('b', 'tester');
    assert.equal(await lab.store.read((reader) => findBook(reader, 'bucket:b')), null);
    await assert.rejects(limit(lab, 'bucket:b', { bytes_max: 1 }), (error) => s3CodeOf(error) === 'NoSuchBucket');
    await lab.close();
  });
});

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { openTransaction } from '../../src/kernel/store/raw-transaction.ts';
import type { Store } from '../../src/kernel/store/store.ts';
import { claimRoom } from '../../src/objects/ledger/claim.ts';
import { stripeCount, stripeOf } from '../../src/objects/ledger/stripes.ts';
import { type StoreEngine, onEveryStore } from '../support/stores.ts';
import { until } from '../support/wait.ts';
import { assertClean, count, put, usedBytes } from './acts.ts';
import { labBackends, openLab } from './lab.ts';

/** A claim of one backend, whose bytes are counted in a given stripe. */
function claimOf(storedBytes: number, stripe: number) {
  const keys = Array.from({ length: 1_000 }, (_, number) => `b/${number}-${storedBytes}`);
  const storageKey = keys.find((key) => stripeOf(key) === stripe)!;
  const rest = { candidates: ['m1'], count: 1, owner: 'tester', nowMs: 1 };
  return { writeId: `w-${storedBytes}-${stripe}`, storageKey, storedBytes, sizeBytes: storedBytes, ...rest };
}

async function waitingCount(store: Store): Promise<number> {
  const statement = `select count(*) as n from pg_stat_activity
    where wait_event_type = 'Lock' and datname = current_database()`;
  const [row] = await store.read((reader) => reader.rows<{ n: number }>(statement, []));
  return Number(row!.n);
}

async function holdStripe(engine: StoreEngine, url: string, stripe: number) {
  assert.ok(engine.server !== null);
  return openTransaction(url, `update backend_stripes set used_bytes = used_bytes where stripe = ${stripe}`);
}

onEveryStore('the books of a backend', (engine) => {
  test('failure 5: parallel writers of two gateways fill a quota and never pass it', async () => {
    const quotaBytes = 60_000;
    const lab = await openLab(engine, labBackends(2, { quotaBytes }));
    const other = await lab.another();
    await lab.bucket('b', { placement: 'spread' });
    let highest = 0;
    let isWriting = true;
    const watching = (async () => {
      while (isWriting) {
        for (const name of ['m1', 'm2']) highest = Math.max(highest, await usedBytes(lab.store, name));
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    })();
    const writes = Array.from({ length: 60 }, (_, index) =>
      put(index % 2 === 0 ? lab : other, 'b', `k${index}`, randomBytes(2_000 + 50 * index)).then(
        () => 'done',
        (error: unknown) => String((error as { details?: { s3?: unknown } }).details?.s3),
      ),
    );
    const ends = await Promise.all(writes).finally(() => (isWriting = false));
    await watching;
    assert.ok(highest <= quotaBytes, `${highest} bytes were on the books`);
    assert.deepEqual([...new Set(ends)].toSorted(), ['InsufficientStorage', 'done']);
    // What was refused would not have fitted: less room is left than the least of them needs.
    const refused = ends.indexOf('InsufficientStorage');
    await assertClean(lab);
    for (const { name, backend } of lab.backends) {
      assert.ok(backend.usedBytes <= quotaBytes);
      assert.ok(quotaBytes - (await usedBytes(lab.store, name)) < 2_000 + 50 * 59 + 400, `${name}, refused ${refused}`);
    }
    await other.close();
    await lab.close();
  });

  if (engine.name === 'postgres') {
    test('failure 5: a claim that is not committed yet is seen by a large one', async () => {
      const lab = await openLab(engine, labBackends(1, { quotaBytes: 1_000_000 }));
      const url = lab.databaseUrl!;
      for (let stripe = 0; stripe < stripeCount; stripe++) await lab.store.write(claimRoom, claimOf(1, stripe));
      const held = await holdStripe(engine, url, 3);
      // It has been admitted, and waits to be booked.
      const small = lab.store.write(claimRoom, claimOf(2_000, 3));
      await until('the small claim waits', async () => (await waitingCount(lab.store)) === 1);
      let isLargeDone = false;
      const large = lab.store.write(claimRoom, claimOf(1_000_000 - 16, 5)).finally(() => (isLargeDone = true));
      await until('the large claim waits or is done', async () => isLargeDone || (await waitingCount(lab.store)) === 2);
      await held.end('commit');
      assert.deepEqual([await small, await large], [['m1'], []]);
      assert.equal(await usedBytes(lab.store, 'm1'), 2_016);
      await lab.close();
    });

    test('failure 5: writers of one backend do not wait for one row', async () => {
      const lab = await openLab(engine, labBackends(1, { quotaBytes: 1_000_000_000 }));
      const url = lab.databaseUrl!;
      await lab.bucket('b');
      for (let stripe = 0; stripe < stripeCount; stripe++) await lab.store.write(claimRoom, claimOf(1, stripe));
      const held = await holdStripe(engine, url, 3);
      for (let stripe = 0; stripe < stripeCount; stripe++) {
        if (stripe !== 3) assert.deepEqual(await lab.store.write(claimRoom, claimOf(1_000, stripe)), ['m1']);
      }
      const same = lab.store.write(claimRoom, claimOf(1_000, 3));
      await until('only a claim of the same stripe waits', async () => (await waitingCount(lab.store)) === 1);
      await held.end('commit');
      assert.deepEqual(await same, ['m1']);
      assert.equal(await count(lab.store, 'intents'), 2 * stripeCount);
      await lab.close();
    });
  }
});

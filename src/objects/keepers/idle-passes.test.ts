import assert from 'node:assert/strict';
import { test } from 'node:test';
import { count } from '../../../test/objects/acts.ts';
import { type Lab, labBackends, openLab } from '../../../test/objects/lab.ts';
import { onEveryStore } from '../../../test/support/stores.ts';
import { runStatement } from '../backends/test-backends.ts';

const { signal } = new AbortController();

/** Adds objects with two copies each, by the ledger alone: nobody reads them. */
async function addObjects(lab: Lab, number: number): Promise<void> {
  const numbers = `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${number})`;
  const statements = [
    `insert into objects (bucket, object_key, version_id, seq, is_latest, is_marker, content_id, size_bytes, etag,
       attributes, owner, modified_at) ${numbers} select 'b', 'k' || i, 'null', 1, 1, 0, 'c' || i, 10, 'e', '{}', 'o', 0 from n`,
    `insert into copies (content_id, part, backend, storage_key, size_bytes, stored_bytes, crc32, created_at) ${numbers}
       select 'c' || i, 1, b.name, 'b/' || i, 10, 12, 0, 0 from n, object_backends b`,
  ];
  for (const sql of statements) await lab.store.write(runStatement, { sql, values: [] });
}

onEveryStore('a pass over many objects that need nothing', (engine) => {
  test('costs a few statements, whatever their number, and no call of a backend', async () => {
    const lab = await openLab(engine, labBackends(2));
    await lab.bucket('b', { copies: 2 });
    await addObjects(lab, 25_000);
    const { replicator, overReplication, drains, rebalancer } = lab.keepers();
    const keepers = [replicator, overReplication, drains, rebalancer];
    // It goes through all of them once, some each time, and rests then.
    for (let go = 0; go < 10; go++) await replicator.run(signal);
    const calls = () => lab.backends.reduce((sum, { backend }) => sum + backend.calls.length, 0);
    for (const keeper of keepers) {
      let reads = 0;
      lab.store.onRead = () => void reads++;
      const [writes, callsBefore] = [lab.store.writes.length, calls()];
      await keeper.run(signal);
      const used = [reads, lab.store.writes.length - writes, calls() - callsBefore] as const;
      assert.ok(used[0] <= 6 && used[1] <= 3 && used[2] === 0, `${keeper.name}: ${used.join(', ')}`);
    }
    lab.store.onRead = () => {};
    assert.deepEqual([await count(lab.store, 'shortfalls'), await count(lab.store, 'surpluses')], [0, 0]);
    await lab.close();
  });

  test('of a bucket that wants another number than before finds all of them, and rests again', async () => {
    const lab = await openLab(engine, labBackends(3));
    await lab.bucket('b', { copies: 3 });
    await addObjects(lab, 3_000);
    const { replicator } = lab.keepers();
    await replicator.run(signal);
    await lab.gateway.buckets.update('b', (settings) => ({ ...settings, copies: 2 }), 'tester');
    await replicator.run(signal);
    assert.equal(await count(lab.store, 'surpluses'), 3_000);
    await lab.close();
  });
});

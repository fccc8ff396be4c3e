import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { openFresh, onEveryStore } from '../../../test/support/stores.ts';
import { backendMigrations, runStatement } from '../backends/test-backends.ts';
import { quotasMigration } from '../migrations/0015_quotas.ts';
import { countingMigration } from '../migrations/0019_counting.ts';
import { usageKeeper } from './keeper.ts';
import { nextPercent } from './warnings.ts';

const { signal } = new AbortController();

describe('what is warned of', () => {
  test('is a share of 80 and of 95 percent, and again only after it was well below', () => {
    const steps: readonly (readonly [number, number, number])[] = [
      [0, 0.79, 0],
      [0, 0.8, 80],
      [80, 0.94, 80],
      [80, 0.96, 95],
      [95, 0.91, 95],
      [95, 0.89, 80],
      [95, 0.2, 0],
      [80, 0.76, 80],
      [80, 0.74, 0],
      [0, 1.7, 95],
    ];
    for (const [before, share, after] of steps) assert.equal(nextPercent(before, share), after, `${before} ${share}`);
  });

  test('does not flutter: a share that moves by less than the hysteresis is told at most once a level', () => {
    const shares = fc.array(fc.double({ min: 0.76, max: 0.8, noNaN: true }), { minLength: 5 });
    fc.assert(
      fc.property(shares, (around) => {
        let [percent, told] = [0, 0];
        for (const share of around.flatMap((one) => [one, 0.8])) {
          const next = nextPercent(percent, share);
          if (next > percent) told++;
          percent = next;
        }
        assert.equal(told, 1);
      }),
    );
  });
});

onEveryStore('warnings of capacity', (engine) => {
  test('are told once, also by a keeper that comes after, and anew in the next month', async () => {
    const store = await openFresh(engine, [...backendMigrations, quotasMigration, countingMigration]);
    let nowMs = Date.parse('2026-11-20T10:00:00Z');
    const clock = { nowMs: () => nowMs };
    const sql = (statement: string) => store.write(runStatement, { sql: statement, values: [] });
    const run = () => usageKeeper(store, clock, 1).run(signal);
    const told = async () => {
      const rows = await store.read((reader) =>
        reader.rows<{ data: string }>(`select data from events where type = 'capacity.warning' order by id`, []),
      );
      return rows.map(({ data }) => {
        const { subject, meter, percent } = JSON.parse(data) as { subject: string; meter: string; percent: number };
        return `${subject} ${meter} ${percent}`;
      });
    };
    await sql(`insert into object_backends (name, kind, config, labels, state, position, quota_bytes, month_requests_max, version,
      created_at, updated_at) values ('m1', 'memory', '{}', '{}', 'active', 0, 1000, 100, 1, 0, 0)`);
    await sql(`insert into buckets (name, owner, settings, version, created_at) values ('b', 'o', '{}', 1, 0)`);
    await sql(`insert into quota_books (subject, book_id, objects_max, used_bytes, used_objects, version, counted_at, created_at)
      values ('bucket:b', 'q', 10, 0, 9, 1, ${nowMs}, 0)`);
    await sql(`insert into backend_usage values ('m1', '2026-11', 96, 0, 0)`);
    await sql(`insert into backend_stripes values ('m1', 3, 700)`);
    assert.match(await run(), /2 warnings/);
    assert.deepEqual((await told()).sort(), ['backend:m1 requests 95', 'bucket:b objects 80']);
    assert.match(await run(), /0 warnings/);
    await sql(`insert into backend_stripes values ('m1', 4, 150)`);
    assert.match(await run(), /1 warnings/);
    assert.equal((await told()).at(-1), 'backend:m1 bytes 80');
    nowMs = Date.parse('2026-12-01T00:00:01Z');
    await sql('update quota_books set used_objects = 0');
    await run();
    await sql(`insert into backend_usage values ('m1', '2026-12', 81, 0, 0)`);
    assert.match(await run(), /1 warnings/);
    assert.equal((await told()).at(-1), 'backend:m1 requests 80');
    await store.close();
  });
});

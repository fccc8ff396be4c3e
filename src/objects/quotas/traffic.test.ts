import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openFresh, onEveryStore } from '../../../test/support/stores.ts';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { createIdSource } from '../../kernel/ids.ts';
import type { Store } from '../../kernel/store/store.ts';
import { backendMigrations, runStatement } from '../backends/test-backends.ts';
import { UsageBook } from '../backends/usage.ts';
import { quotasMigration } from '../migrations/0015_quotas.ts';
import { QuotaPicture } from './picture.ts';
import { subjectLedger } from './subject-usage.ts';
import { Traffic, type TrafficUse } from './traffic.ts';

const place = { bucket: 'b', userId: 'u' };
const stranger = { bucket: 'other', userId: null };

/** One process's view: its counts and its picture of the limits. */
async function openTraffic(store: Store, clock: { nowMs(): number }) {
  const onError = (error: unknown) => assert.fail(String(error));
  const usage = new UsageBook({ store, clock, newId: createIdSource(), onError, ledger: subjectLedger });
  const picture = new QuotaPicture(store);
  await picture.refresh();
  return { usage, picture, traffic: new Traffic(usage, picture, clock) };
}

onEveryStore('the traffic of clients', (engine) => {
  test('is held to the limits of bucket and user by several gateways, until the month ends', async () => {
    const store = await openFresh(engine, [...backendMigrations, quotasMigration]);
    const sql = (statement: string) => store.write(runStatement, { sql: statement, values: [] });
    await sql(`insert into quota_books (subject, book_id, month_requests_max, month_egress_bytes_max, used_bytes, used_objects,
      version, created_at) values ('bucket:b', 'q1', 10, null, 0, 0, 1, 0), ('user:u', 'q2', null, 1000, 0, 0, 1, 0)`);
    let nowMs = Date.parse('2026-12-31T23:59:00Z');
    const clock = { nowMs: () => nowMs };
    const [one, two] = [await openTraffic(store, clock), await openTraffic(store, clock)];
    const isAdmitted = ({ traffic }: typeof one, use: TrafficUse) => {
      try {
        traffic.admit(place, use, 0);
        return true;
      } catch (error) {
        assert.ok(error instanceof HoldfastError);
        const { s3, http_status: status, reply_headers: headers } = error.details;
        assert.deepEqual([s3, status, headers], ['QuotaExceeded', 403, { 'retry-after': '60' }]);
        assert.match(error.message, /it ends on 2027-01-01/);
        return false;
      }
    };
    for (let request = 0; request < 4; request++) {
      assert.ok(isAdmitted(one, 'read') && isAdmitted(two, 'write'));
    }
    one.traffic.countBytes(place, 0, 999);
    two.traffic.countBytes(place, 0, 1);
    assert.ok(isAdmitted(one, 'read'), 'what the other one has counted is not known yet');
    for (const { usage } of [one, two, one]) await usage.flush();
    assert.deepEqual([isAdmitted(one, 'read'), isAdmitted(two, 'read')], [false, false]);
    assert.deepEqual([isAdmitted(two, 'ask'), isAdmitted(two, 'ask')], [true, false]);
    assert.ok(isAdmitted(two, 'delete'));
    one.traffic.admit(stranger, 'read', 0);
    await Promise.all([one.usage.flush(), two.usage.flush()]);
    const statement = 'select subject, month, requests, egress_bytes from subject_usage order by subject';
    const rows = await store.read((reader) => reader.rows<Record<string, unknown>>(statement, []));
    assert.deepEqual(
      rows.map((row) => Object.values(row)),
      [
        ['bucket:b', '2026-12', 11, 1_000],
        ['bucket:other', '2026-12', 1, 0],
        ['user:u', '2026-12', 11, 1_000],
      ],
    );
    nowMs += 60_000;
    assert.ok(isAdmitted(one, 'read') && isAdmitted(two, 'write'), 'a new month begins with nothing');
    await store.close();
  });

  test('of more places than one flush carries is all there after it', async () => {
    const store = await openFresh(engine, [...backendMigrations, quotasMigration]);
    const { usage, traffic } = await openTraffic(store, { nowMs: () => Date.parse('2026-12-01T00:00:00Z') });
    for (let index = 0; index < 1_201; index++) traffic.admit({ bucket: `b${index}`, userId: null }, 'ask', 0);
    await usage.flush();
    const rows = await store.read((reader) =>
      reader.rows<{ n: number; requests: number | string }>(
        'select count(*) as n, sum(requests) as requests from subject_usage',
        [],
      ),
    );
    assert.deepEqual([Number(rows[0]!.n), Number(rows[0]!.requests)], [1_201, 1_201]);
    await store.close();
  });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openFresh, onEveryStore } from '../../../test/support/stores.ts';
import type { Keeper } from '../../kernel/keepers/keeper.ts';
import { backendMigrations, runStatement } from '../backends/test-backends.ts';
import { forecast, forecasting } from './forecast.ts';
import type { CapacityMeter, Standing } from './standings.ts';

const nowMs = Date.parse('2026-12-24T10:00:00Z');

function standing(name: string, gauges: readonly (readonly [CapacityMeter, number, number | null])[]): Standing {
  const told = gauges.map(([meter, used, maximum]) => ({ meter, used, maximum }));
  return { subject: `backend:${name}`, userName: null, gauges: told };
}

describe('the forecast of a plan', () => {
  const cost = { place: 'far', requests: 200, ingressBytes: 1_000, egressBytes: 0 };

  test('says which limit it would pass, when, and until when that holds', () => {
    const far = standing('far', [
      ['bytes', 9_500, 10_000],
      ['requests', 50, 150],
      ['ingress', 0, 1_000],
      ['egress', 99, 1],
    ]);
    assert.deepEqual(forecast([cost], [far], nowMs), [
      'far would reach its quota in bytes (10000) after 50 % of this: 500 are left, and 1000 are needed.',
      'far would reach its monthly limit of requests (150) after 50 % of this: 100 are left, and 200 are needed. ' +
        'The next month begins on 2027-01-01.',
    ]);
  });

  test('counts nothing as left where a limit is passed already, and says nothing of other places', () => {
    const far = standing('far', [['requests', 900, 800]]);
    assert.match(forecast([cost], [far], nowMs)[0]!, /after 0 % of this: 0 are left/);
    assert.deepEqual(forecast([cost], [standing('near', [['requests', 900, 800]])], nowMs), []);
    assert.deepEqual(forecast([cost], [standing('far', [['requests', 900, null]])], nowMs), []);
  });
});

onEveryStore('the plans of keepers', (engine) => {
  test('tell of limits by what backends have used this month', async () => {
    const store = await openFresh(engine, backendMigrations);
    const sql = (statement: string) => store.write(runStatement, { sql: statement, values: [] });
    await sql(`insert into object_backends (name, kind, config, labels, state, position, month_egress_bytes_max, version,
      created_at, updated_at) values ('m1', 'memory', '{}', '{}', 'active', 0, 1000, 1, 0, 0)`);
    await sql(`insert into backend_usage values ('m1', '2026-12', 5, 0, 700), ('m1', '2026-11', 5, 0, 900)`);
    const costs = [{ place: 'm1', requests: 1, ingressBytes: 10, egressBytes: 400 }];
    const plan = { summary: '', steps: [], count: 1, isExact: true, sizeBytes: 400, costs };
    const run = async () => 'done';
    const keeper: Keeper = { name: 'k', summary: 's', periodMs: 1, run, plan: async () => plan };
    const { signal } = new AbortController();
    const told = await forecasting(keeper, store, { nowMs: () => nowMs }).plan!(signal);
    assert.equal(told.warnings?.length, 1);
    assert.match(told.warnings[0]!, /m1 would reach its monthly limit of bytes out \(1000\) after 75 % of this/);
    const without: Keeper = { name: 'k', summary: 's', periodMs: 1, run };
    assert.equal(forecasting(without, store, { nowMs: () => nowMs }), without);
    await store.close();
  });
});

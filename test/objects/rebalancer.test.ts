import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEveryStore } from '../support/stores.ts';
import { assertClean, count, put, read, usedBytes } from './acts.ts';
import type { WriteFate } from './intercepted-store.ts';
import { type Lab, labBackends, openLab } from './lab.ts';

const { signal } = new AbortController();

async function shares(lab: Lab, quotaBytes: number): Promise<number[]> {
  return Promise.all(lab.backends.map(async ({ name }) => (await usedBytes(lab.store, name)) / quotaBytes));
}

/** Objects that all stand on m1, of a bucket that wants them spread. */
async function uneven(lab: Lab, number: number): Promise<void> {
  await lab.bucket('b', { placement: 'spread' });
  for (const { name } of lab.backends.slice(1)) await lab.setState(name, 'draining');
  for (let index = 0; index < number; index++) await put(lab, 'b', `k${index}`, Buffer.alloc(1_000, index));
  for (const { name } of lab.backends.slice(1)) await lab.setState(name, 'active');
}

onEveryStore('the rebalancer', (engine) => {
  test('shows what it would move and what that costs, moves just that, and then nothing more', async () => {
    const quotaBytes = 40_000;
    const lab = await openLab(engine, labBackends(3, { quotaBytes }));
    await uneven(lab, 24);
    const { rebalancer, cleanup } = lab.keepers();
    const before = await shares(lab, quotaBytes);
    const plan = await rebalancer.plan!(signal);
    assert.deepEqual(await shares(lab, quotaBytes), before, 'a plan changes nothing');
    assert.ok(plan.isExact && plan.count > 5 && plan.steps.length === plan.count);
    const [m1, m2, m3] = plan.costs;
    assert.deepEqual([m1!.requests, m1!.egressBytes, m1!.ingressBytes], [2 * plan.count, plan.sizeBytes, 0]);
    assert.equal(m2!.ingressBytes + m3!.ingressBytes, plan.sizeBytes);
    const told = await rebalancer.run(signal);
    assert.equal(told, `${plan.count} copies moved, 0 not moved, 24 looked at`);
    await cleanup.run(signal);
    const after = await shares(lab, quotaBytes);
    assert.ok(Math.max(...after) - Math.min(...after) <= 0.1 + 1e-9, String(after));
    assert.equal((await rebalancer.plan!(signal)).count, 0);
    for (let index = 0; index < 24; index++) {
      assert.deepEqual(await read(lab, 'b', `k${index}`), Buffer.alloc(1_000, index));
    }
    await assertClean(lab);
    await lab.close();
  });

  test('lets nothing go whose copy was not made, and a restart leaves no copy too many', async () => {
    const lab = await openLab(engine, labBackends(2, { quotaBytes: 20_000 }));
    await uneven(lab, 8);
    lab.backends[1]!.backend.faults.push({ verb: 'put', times: 2, effect: 'fail' });
    let drops = 0;
    lab.store.fate = (name): WriteFate => (name === 'dropSurplus' && ++drops === 1 ? 'refuse' : 'pass');
    const told = await lab.keepers().rebalancer.run(signal);
    assert.match(told, /^\d+ copies moved, 3 not moved/);
    assert.equal((await lab.check()).findings.length, 0);
    lab.store.fate = () => 'pass';
    const next = await lab.restart();
    // Somebody who died between copying and letting go is found by the next round over all copies.
    next.clock.advance(7 * 3_600_000);
    await assertClean(next);
    assert.equal((await next.check()).copies, 8);
    for (let index = 0; index < 8; index++) {
      assert.deepEqual(await read(next, 'b', `k${index}`), Buffer.alloc(1_000, index));
    }
    await lab.close();
  });

  test('brings copies to where labels and failure domains want them now', async () => {
    const labels = [{ zone: 'x' }, { zone: 'x' }, { zone: 'y', tier: 'hot' }, { zone: 'x', tier: 'hot' }];
    const backends = labBackends(4).map((one, index) => ({ ...one, labels: labels[index]! as Record<string, string> }));
    const lab = await openLab(engine, backends);
    await lab.bucket('b', { copies: 2 });
    await lab.bucket('apart', { copies: 2 });
    await put(lab, 'b', 'k', 'content');
    await put(lab, 'apart', 'k', 'content');
    await lab.gateway.buckets.update('b', (settings) => ({ ...settings, requiredLabels: { tier: 'hot' } }), 'tester');
    await lab.gateway.buckets.update('apart', (settings) => ({ ...settings, failureDomain: 'zone' }), 'tester');
    const told = await lab.keepers().rebalancer.run(signal);
    assert.equal(told, '3 copies moved, 0 not moved, 2 looked at');
    const statement = `select o.bucket, c.backend from copies c join objects o on o.content_id = c.content_id
      order by o.bucket, c.backend`;
    const rows = await lab.store.read((reader) => reader.rows<{ bucket: string; backend: string }>(statement, []));
    const held = rows.map(({ bucket, backend }) => `${bucket} ${backend}`);
    assert.deepEqual(held.slice(2), ['b m3', 'b m4']);
    assert.ok(held.includes('apart m3'), String(held));
    await assertClean(lab);
    await lab.close();
  });

  test('rests by default, and asks nothing of anyone when all is where it should be', async () => {
    const lab = await openLab(engine, labBackends(2));
    const [row] = await lab.store.read((reader) =>
      reader.rows<{ paused_by: string }>(`select paused_by from keepers where name = 'object-rebalancer'`, []),
    );
    assert.equal(row?.paused_by, 'default');
    await lab.bucket('b');
    await put(lab, 'b', 'k', 'content');
    assert.equal(await lab.keepers().rebalancer.run(signal), '0 copies moved, 0 not moved, 0 looked at');
    assert.equal(await count(lab.store, 'copies'), 1);
    await lab.close();
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { claimCleanup } from '../../src/objects/ledger/cleanup.ts';
import { claimShortfalls } from '../../src/objects/ledger/shortfalls.ts';
import { onEveryStore } from '../support/stores.ts';
import { assertClean, count, put, remove } from './acts.ts';
import { labBackends, openLab } from './lab.ts';

const { signal } = new AbortController();

onEveryStore('what a gateway leaves when it dies', (engine) => {
  test('deletions and owed copies that it had claimed do not wait for the end of its claims', async () => {
    const lab = await openLab(engine, labBackends(2));
    await lab.bucket('b', { copies: 2, durability: 'one' });
    lab.backends[1]!.backend.faults.push({ verb: 'put', times: 1, effect: 'fail' });
    await put(lab, 'b', 'short', 'content');
    await lab.gateway.writer.settle();
    await put(lab, 'b', 'gone', 'content');
    await remove(lab, 'b', 'gone');
    const claim = { limit: 100, nowMs: lab.clock.nowMs(), leaseMs: 900_000 };
    const claimed = [
      ...(await lab.store.write(claimCleanup, { ...claim, owner: lab.replicaId })),
      ...(await lab.store.write(claimShortfalls, { ...claim, owner: lab.replicaId })),
    ];
    assert.equal(claimed.length, (await count(lab.store, 'cleanup')) + (await count(lab.store, 'shortfalls')));

    // A claim of somebody alive is left alone.
    await lab.keepers().intents.run(signal);
    assert.equal((await lab.store.write(claimCleanup, { ...claim, owner: 'another' })).length, 0);

    const after = await lab.restart();
    const { intents, cleanup, replicator } = after.keepers();
    for (const keeper of [intents, replicator, cleanup, cleanup]) await keeper.run(signal);
    assert.equal(await count(lab.store, 'cleanup'), 0);
    assert.equal(await count(lab.store, 'shortfalls'), 0);
    await assertClean(after);
    await lab.close();
  });
});

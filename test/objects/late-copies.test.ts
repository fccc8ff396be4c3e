import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEveryStore } from '../support/stores.ts';
import { assertClean, count, put } from './acts.ts';
import { labBackends, openLab } from './lab.ts';

const { signal } = new AbortController();

onEveryStore('a copy that comes when there are enough', (engine) => {
  for (const [what, writerMs, replicatorMs] of [
    ['the late one of a write', 300, 0],
    ['the one of the replicator', 100, 400],
  ] as const) {
    test(`is not kept: ${what}`, async () => {
      const lab = await openLab(engine, labBackends(3));
      await lab.bucket('b', { copies: 2, durability: 'one' });
      const [, second, third] = lab.backends;
      second!.backend.faults.push({ verb: 'put', times: 1, effect: 'slow', delayMs: writerMs });
      third!.backend.faults.push({ verb: 'put', times: 1, effect: 'slow', delayMs: replicatorMs });
      await put(lab, 'b', 'k', 'content');
      assert.equal(await count(lab.store, 'copies'), 1);
      // The replicator knows nothing of the copy that is on its way to the second one, and makes one on the third.
      lab.registry.all.find(({ name }) => name === 'm2')!.isOpenFor = (purpose) => purpose === 'read';
      await lab.keepers().replicator.run(signal);
      await lab.gateway.writer.settle();
      assert.equal(await count(lab.store, 'copies'), 2);
      await assertClean(lab);
      await lab.close();
    });
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertClean, beginUpload, complete, count, put, putPart } from '../../../test/objects/acts.ts';
import { labBackends, openLab } from '../../../test/objects/lab.ts';
import { onEveryStore } from '../../../test/support/stores.ts';

const { signal } = new AbortController();
const actor = 'somebody';

onEveryStore('copies that a bucket wants later', (engine) => {
  test('are made of what it held before, and of nothing else', async () => {
    const lab = await openLab(engine, labBackends(3));
    for (const bucket of ['few', 'more']) {
      await lab.bucket(bucket);
      for (let index = 0; index < 5; index++) await put(lab, bucket, `k${index}`, `content ${index}`);
    }
    const upload = await beginUpload(lab, 'more', 'in parts');
    const part = await putPart(lab, upload, 1, Buffer.from('content of a part'));
    const { replicator } = lab.keepers();
    await replicator.run(signal);
    assert.equal((await lab.check()).copies, 11);
    await lab.gateway.buckets.update('more', (settings) => ({ ...settings, copies: 2 }), actor);
    await replicator.run(signal);
    assert.equal(await count(lab.store, 'shortfalls'), 0);
    assert.equal((await lab.check()).copies, 17);
    await complete(lab, upload, [part]);
    await assertClean(lab);
    await lab.gateway.buckets.update('more', (settings) => ({ ...settings, copies: 3 }), actor);
    await replicator.run(signal);
    assert.equal((await lab.check()).copies, 23);
    await assertClean(lab);
    await lab.close();
  });

  test('are made of what has too few, though it was noted as having too many', async () => {
    const lab = await openLab(engine, labBackends(2));
    await lab.bucket('b', { copies: 2 });
    await put(lab, 'b', 'k', 'content');
    const want = (copies: number) => lab.gateway.buckets.update('b', (settings) => ({ ...settings, copies }), actor);
    const { replicator } = lab.keepers();
    await want(1);
    await lab.setState('m1', 'draining');
    await replicator.run(signal);
    assert.deepEqual([await count(lab.store, 'copies'), await count(lab.store, 'surpluses')], [1, 1]);
    await want(2);
    await lab.setState('m1', 'active');
    await replicator.run(signal);
    assert.equal(await count(lab.store, 'copies'), 2);
    await assertClean(lab);
    await lab.close();
  });
});

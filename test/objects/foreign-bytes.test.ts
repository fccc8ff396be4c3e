import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { probeKey, probePrefix } from '../../src/objects/backends/management/probe.ts';
import { s3CodeOf } from '../../src/objects/errors.ts';
import { onEveryStore } from '../support/stores.ts';
import { assertClean, assertEmpty, put, read, remove } from './acts.ts';
import { labBackends, openLab } from './lab.ts';

onEveryStore('bytes that are not what the ledger says', (engine) => {
  test('failure 9: bytes that wait for deletion bring nothing back, and others are told and left alone', async () => {
    const lab = await openLab(engine, labBackends(1));
    const [{ backend }] = lab.backends as [(typeof lab.backends)[0]];
    await lab.bucket('b');
    await put(lab, 'b', 'gone', 'gone');
    backend.faults.push({ verb: 'delete', times: Number.POSITIVE_INFINITY, effect: 'fail' });
    await remove(lab, 'b', 'gone');
    await lab.keepers().cleanup.run(new AbortController().signal);
    assert.equal(backend.blobs.size, 1);

    const waiting = await lab.check();
    assert.deepEqual([waiting.objects, waiting.waitingDeletions, waiting.findings], [0, 1, []]);
    assert.equal(await read(lab, 'b', 'gone').then(() => null, s3CodeOf), 'NoSuchKey');

    const [[, blob]] = [...backend.blobs] as [[string, { bytes: Buffer; modifiedAtMs: number }]];
    backend.blobs.set('b/of-nobody', blob);
    const found = await lab.check();
    assert.deepEqual(
      found.findings.map(({ kind, detail }) => [kind, detail.includes('b/of-nobody')]),
      [['orphan', true]],
    );
    assert.equal(found.objects, 0);
    assert.ok(backend.blobs.has('b/of-nobody'));

    backend.blobs.delete('b/of-nobody');
    backend.faults.length = 0;
    await assertEmpty(lab);
    await lab.close();
  });

  test("probes of a backend are nobody's bytes and no finding", async () => {
    const lab = await openLab(engine, labBackends(1));
    const { backend } = lab.backends[0]!;
    await lab.bucket('b');
    await put(lab, 'b', 'k', 'content');
    const [[, blob]] = [...backend.blobs] as [[string, { bytes: Buffer; modifiedAtMs: number }]];
    backend.blobs.set(`${probePrefix}0`, blob);
    await assertClean(lab);
    const left = probeKey(lab.clock.nowMs());
    for (const key of [left, probeKey(lab.clock.nowMs() + 2 * 3_600_000)]) backend.blobs.set(key, blob);
    const { reconciler } = lab.keepers();
    await reconciler.run(new AbortController().signal);
    assert.equal(backend.blobs.size, 4, 'it may be under way');
    lab.clock.advance(3_600_001);
    const plan = await reconciler.plan!(new AbortController().signal);
    assert.deepEqual(
      plan.steps.map(({ action, subject }) => [action, subject]),
      [['clear', `${left} on m1`]],
    );
    await reconciler.run(new AbortController().signal);
    assert.equal(backend.blobs.has(left), false, 'a probe that was cut off is cleared away');
    assert.equal([...backend.blobs].length, 3);
    await assertClean(lab);
    backend.blobs.set(`a${probePrefix}0`, blob);
    assert.deepEqual(
      (await lab.check()).findings.map(({ kind }) => kind),
      ['orphan'],
    );
    await lab.close();
  });

  test('failure 11: what another object, a fragment or noise put under a key is never given out as the object', async () => {
    const lab = await openLab(engine, labBackends(2));
    await lab.bucket('b', { copies: 2, durability: 'all' });
    const bytes = randomBytes(50_000);
    const other = randomBytes(50_000);
    await put(lab, 'b', 'k', bytes);
    await put(lab, 'b', 'other', other);
    const [{ backend: first }, { backend: second }] = lab.backends as [
      (typeof lab.backends)[0],
      (typeof lab.backends)[0],
    ];
    const blobsOf = (content: Buffer) =>
      [...first.blobs].find(([, blob]) => blob.bytes.subarray(0, content.length).equals(content))!;
    const [key, good] = blobsOf(bytes);
    const [, others] = blobsOf(other);
    const spoiled = [
      others.bytes,
      good.bytes.subarray(0, 40_000),
      Buffer.concat([randomBytes(10), good.bytes.subarray(10)]),
      randomBytes(good.bytes.length),
    ];
    for (const wrong of spoiled) {
      first.blobs.set(key, { ...good, bytes: wrong });
      assert.ok((await read(lab, 'b', 'k')).equals(bytes), 'the other copy is read');
      second.blobs.set(key, { ...good, bytes: wrong });
      const error = await read(lab, 'b', 'k').then(() => null, s3CodeOf);
      assert.equal(error, 'ServiceUnavailable');
      second.blobs.set(key, good);
    }
    first.blobs.set(key, good);
    assert.ok((await read(lab, 'b', 'k')).equals(bytes));
    await assertClean(lab);
    await lab.close();
  });
});

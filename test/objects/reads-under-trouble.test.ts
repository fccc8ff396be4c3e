import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { ContentCache } from '../../src/objects/reading/cache.ts';
import { Hedging } from '../../src/objects/reading/hedge.ts';
import { onEveryStore } from '../support/stores.ts';
import { beginUpload, complete, put, putPart, read, remove } from './acts.ts';
import { labBackends, openLab } from './lab.ts';

const always = Number.POSITIVE_INFINITY;

onEveryStore('reads under trouble', (engine) => {
  test('are told from memory, and from no memory that another gateway has overtaken', async () => {
    const caches: ContentCache[] = [];
    const lab = await openLab(engine, labBackends(1), null, [], () => {
      const cache = new ContentCache({ bytesMax: 1_000_000 });
      caches.push(cache);
      return { cache };
    });
    const other = await lab.another();
    await lab.bucket('b');
    const [before, after] = [randomBytes(10_000), randomBytes(10_000)];
    await put(lab, 'b', 'k', before);
    for (let time = 0; time < 3; time++) {
      for (const one of [lab, other]) assert.ok((await read(one, 'b', 'k')).equals(before));
    }
    assert.deepEqual(
      caches.map(({ hits }) => hits),
      [1, 1],
    );
    // Nothing but memory can answer now.
    const [{ backend }] = lab.backends as [(typeof lab.backends)[number]];
    backend.faults.push({ verb: 'get', times: always, effect: 'fail' });
    for (const one of [lab, other]) assert.ok((await read(one, 'b', 'k')).equals(before));
    backend.faults.length = 0;
    await put(other, 'b', 'k', after);
    for (const one of [lab, other]) assert.ok((await read(one, 'b', 'k')).equals(after), 'the bytes of before');
    await remove(lab, 'b', 'k');
    for (const one of [lab, other]) await assert.rejects(read(one, 'b', 'k'), { kind: 'not_found' });
    await other.close();
    await lab.close();
  });

  test('never keep a copy that was damaged', async () => {
    const cache = new ContentCache({ bytesMax: 1_000_000 });
    const lab = await openLab(engine, labBackends(2), null, [], () => ({ cache }));
    await lab.bucket('b', { copies: 2 });
    const bytes = randomBytes(10_000);
    await put(lab, 'b', 'k', bytes);
    for (const { backend } of lab.backends)
      backend.faults.push({ verb: 'get', times: 2, effect: 'corrupt', afterBytes: 9 });
    for (let time = 0; time < 5; time++) {
      await read(lab, 'b', 'k').then(
        (told) => assert.ok(told.equals(bytes)),
        (error: unknown) => assert.match(String(error), /can be read now/),
      );
    }
    assert.ok(cache.hits > 0);
    await lab.gateway.badCopies.settle();
    await lab.close();
  });

  test('keep the parts of what was uploaded in parts, each for itself', async () => {
    const cache = new ContentCache({ bytesMax: 1_000_000 });
    const lab = await openLab(engine, labBackends(1), null, [], () => ({ cache }));
    await lab.bucket('b');
    const upload = await beginUpload(lab, 'b', 'k');
    const pieces = [randomBytes(5_242_880), randomBytes(1_000)];
    const parts = [];
    for (const [index, piece] of pieces.entries()) parts.push(await putPart(lab, upload, index + 1, piece));
    await complete(lab, upload, parts);
    for (let time = 0; time < 3; time++) assert.ok((await read(lab, 'b', 'k')).equals(Buffer.concat(pieces)));
    assert.deepEqual([cache.hits, cache.misses], [1, 2]);
    await lab.close();
  });

  test('are not held up by a copy that hangs, also when nothing was measured yet', async () => {
    const hedging = new Hedging();
    const lab = await openLab(engine, labBackends(2), null, [], () => ({ hedging }));
    await lab.bucket('b', { copies: 2 });
    const bytes = randomBytes(1_000);
    await put(lab, 'b', 'k', bytes);
    lab.backends[0]!.backend.faults.push({ verb: 'get', times: 1, effect: 'hang' });
    const beganAtMs = performance.now();
    assert.ok((await read(lab, 'b', 'k')).equals(bytes));
    assert.ok(performance.now() - beganAtMs >= 1_900);
    assert.deepEqual(hedging.counts, { hedges: 1, wins: 1, refusals: 0, probes: 0 });
    // What was cancelled is over.
    await Promise.allSettled(lab.calls.underWay);
    await lab.close();
  });
});

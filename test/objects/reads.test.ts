import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { FaultEffect } from '../../src/objects/backends/memory/faults.ts';
import { chunksOf } from '../../src/objects/content/content.ts';
import { decodeDescription } from '../../src/objects/content/description.ts';
import { onEveryStore } from '../support/stores.ts';
import { until } from '../support/wait.ts';
import { assertClean, beginUpload, complete, count, put, putPart, read, remove } from './acts.ts';
import { away } from './intercepted-store.ts';
import { type Lab, labBackends, openLab } from './lab.ts';

/** Has every read but those of one backend fail, so that it alone answers. */
async function onlyFrom<R>(lab: Lab, name: string, work: () => Promise<R>): Promise<R> {
  const others = lab.backends.filter((one) => one.name !== name);
  for (const { backend } of others)
    backend.faults.push({ verb: 'get', times: Number.POSITIVE_INFINITY, effect: 'fail' });
  try {
    return await work();
  } finally {
    for (const { backend } of others) backend.faults.length = 0;
  }
}

onEveryStore('reading objects', (engine) => {
  test('failure 21: ETag, times and headers are the same from every copy, and after replication', async () => {
    const lab = await openLab(engine, labBackends(3));
    await lab.bucket('b', { copies: 2 });
    const bytes = randomBytes(100_000);
    const attributes = { contentType: 'image/png', headers: { 'cache-control': 'no-store' }, metadata: { a: 'b' } };
    const first = await put(lab, 'b', 'k', bytes, { attributes });
    const open = async () => {
      const signal = AbortSignal.timeout(5_000);
      const { version, cancel } = await lab.gateway.objects.open({ bucket: 'b', key: 'k', range: () => null, signal });
      cancel();
      return version;
    };
    for (const name of ['m1', 'm2']) assert.deepEqual(await onlyFrom(lab, name, open), first, name);
    await lab.setState('m1', 'draining');
    await assertClean(lab);
    assert.deepEqual(await onlyFrom(lab, 'm3', open), first);
    assert.deepEqual(await lab.gateway.objects.stat({ bucket: 'b', key: 'k' }), first);
    await lab.close();
  });

  test('failure 22: copies are identical to the byte, written at once or replicated, and describe themselves', async () => {
    const lab = await openLab(engine, labBackends(3));
    await lab.bucket('b', { copies: 2 });
    const bytes = randomBytes(700_000);
    async function* stream() {
      yield* [bytes.subarray(0, 300_000), bytes.subarray(300_000)];
    }
    const version = await put(lab, 'b', 'k', stream(), { sizeBytes: bytes.length });
    await lab.setState('m2', 'draining');
    const before = lab.backends.flatMap(({ backend }) => [...backend.blobs.values()].map((blob) => blob.bytes));
    await assertClean(lab);
    const after = lab.backends.flatMap(({ backend }) => [...backend.blobs.values()].map((blob) => blob.bytes));
    assert.equal(before.length + after.length, 4);
    for (const blob of [...before, ...after]) assert.ok(blob.equals(before[0]!));
    const { key, bucket, sizeBytes, md5 } = decodeDescription(before[0]!)!;
    assert.deepEqual(
      { key, bucket, sizeBytes, md5 },
      { key: 'k', bucket: 'b', sizeBytes: bytes.length, md5: version.etag },
    );
    await lab.close();
  });

  test('failure 20: a client that leaves and keys that are not there are no faults of a copy', async () => {
    const lab = await openLab(engine, labBackends(1));
    await lab.bucket('b');
    await put(lab, 'b', 'k', randomBytes(2_000_000));
    const control = new AbortController();
    const request = { bucket: 'b', key: 'k', range: () => null, signal: control.signal };
    const { content, cancel } = await lab.gateway.objects.open(request);
    const reading = (async () => {
      for await (const chunk of chunksOf(content)) if (chunk.length > 0) control.abort(new Error('the client left'));
    })();
    await assert.rejects(reading, /the client left/);
    cancel();
    await assert.rejects(lab.gateway.objects.open(request), /the client left/);
    await assert.rejects(read(lab, 'b', 'absent'), { details: { key: 'absent', s3: 'NoSuchKey', http_status: 404 } });
    assert.deepEqual(lab.problems, []);
    await lab.close();
  });

  test('failure 14: parts that break or are cut in the middle break the stream', async () => {
    const lab = await openLab(engine, labBackends(1));
    await lab.bucket('b');
    const { backend } = lab.backends[0]!;
    const upload = await beginUpload(lab, 'b', 'k');
    const bytes = randomBytes(5 * 1024 ** 2);
    const parts = [await putPart(lab, upload, 1, bytes), await putPart(lab, upload, 2, randomBytes(400_000))];
    await complete(lab, upload, parts);
    const last = [...backend.blobs.keys()].at(-1)!;
    for (const effect of ['truncate', 'break', 'corrupt', 'fail', 'shrink'] as const satisfies FaultEffect[]) {
      backend.faults.push({ verb: 'get', key: last, times: 1, effect, afterBytes: 250_000 });
      let given = 0;
      const reading = (async () => {
        const signal = AbortSignal.timeout(5_000);
        const { content } = await lab.gateway.objects.open({ bucket: 'b', key: 'k', range: () => null, signal });
        for await (const chunk of chunksOf(content)) given += chunk.length;
      })();
      await assert.rejects(reading, `${effect} is not a clean end`);
      assert.ok(given >= bytes.length && given < bytes.length + 400_000, effect);
      // The second look at the copy is a call too, and is not to meet the next fault.
      await lab.gateway.badCopies.settle();
    }
    assert.equal((await read(lab, 'b', 'k')).length, bytes.length + 400_000);
    await lab.close();
  });

  test('a damaged copy is replaced from another one, and the last copy is never let go', async () => {
    const lab = await openLab(engine, labBackends(3));
    await lab.bucket('b', { copies: 2 });
    await lab.bucket('single');
    await put(lab, 'b', 'k', 'content');
    await put(lab, 'single', 'k', 'content');
    for (const [key, blob] of lab.backends[0]!.backend.blobs) {
      const damaged = Buffer.from(blob.bytes);
      damaged[3]! ^= 1;
      lab.backends[0]!.backend.blobs.set(key, { ...blob, bytes: damaged });
    }
    assert.equal(String(await read(lab, 'b', 'k')), 'content');
    await assert.rejects(read(lab, 'single', 'k'), { kind: 'unavailable' });
    await until('the bad copy is noted', async () => (await count(lab.store, 'shortfalls')) === 1);
    await lab.settle();
    const { findings, copies } = await lab.check();
    assert.deepEqual([findings.map(({ kind }) => kind), copies], [['damaged_copy'], 3]);
    assert.equal(String(await read(lab, 'b', 'k')), 'content');
    await lab.close();
  });

  test('a good copy that answers badly once is kept, also when the ledger knows another one that is gone', async () => {
    const lab = await openLab(engine, labBackends(3));
    await lab.bucket('b', { copies: 2, durability: 'all' });
    await put(lab, 'b', 'k', 'content');
    const holders = lab.backends.filter(({ backend }) => backend.blobs.size === 1);
    const [good, gone] = holders as [(typeof holders)[0], (typeof holders)[0]];
    gone.backend.blobs.clear();
    good.backend.faults.push({ verb: 'get', times: 1, effect: 'corrupt' });
    await assert.rejects(read(lab, 'b', 'k'), { kind: 'unavailable' });
    await lab.gateway.badCopies.settle();
    assert.equal(lab.problems.length, 2, lab.problems.join('; '));
    await assertClean(lab);
    assert.equal(good.backend.blobs.size, 1);
    assert.equal(String(await read(lab, 'b', 'k')), 'content');
    await lab.close();
  });

  for (const kind of ['whole', 'in parts']) {
    test(`an object ${kind} that is overwritten before its bytes are opened is read as it is now`, async () => {
      const lab = await openLab(engine, labBackends(1));
      await lab.bucket('b');
      const upload = await beginUpload(lab, 'b', 'k');
      if (kind === 'whole') await put(lab, 'b', 'k', 'old');
      else await complete(lab, upload, [await putPart(lab, upload, 1, Buffer.from('old'))]);
      const { objects } = lab.gateway;
      const signal = AbortSignal.timeout(10_000);
      let overwriting: Promise<unknown> | null = null;
      const overwrite = async () => {
        await put(lab, 'b', 'k', 'new');
        await lab.keepers().cleanup.run(signal);
      };
      // Its bytes answer only when it has been overwritten, in the moment after it was found.
      const { backend } = lab.backends[0]!;
      const get = backend.get.bind(backend);
      backend.get = async (...call) => {
        await overwriting;
        return get(...call);
      };
      const check = () => void (overwriting ??= overwrite());
      const { content, version } = await objects.open({ bucket: 'b', key: 'k', range: () => null, signal, check });
      const chunks: Buffer[] = [];
      for await (const chunk of chunksOf(content)) chunks.push(chunk);
      assert.equal(String(Buffer.concat(chunks)), 'new');
      assert.equal(version.etag.includes('-'), false);
      await lab.close();
    });
  }

  test('parts of an object that was overwritten are not told as an empty one', async () => {
    const lab = await openLab(engine, labBackends(1));
    await lab.bucket('b');
    const upload = await beginUpload(lab, 'b', 'k');
    await complete(lab, upload, [await putPart(lab, upload, 1, Buffer.from('old'))]);
    const { objects } = lab.gateway;
    const control = AbortSignal.timeout(10_000);
    let reads = 0;
    let isOver = false;
    // The second question of a read is for its parts: by then the object is another one.
    lab.store.onRead = async () => {
      if (++reads !== 2 || isOver) return;
      isOver = true;
      await put(lab, 'b', 'k', 'new');
      await lab.keepers().cleanup.run(control);
    };
    const { content } = await objects.open({ bucket: 'b', key: 'k', range: () => null, signal: control });
    assert.ok(isOver);
    assert.equal(String(content), 'new');
    await lab.close();
  });

  if (engine.name === 'postgres') {
    test('with the store away, what was read lately is read on, and writes are refused', async () => {
      const lab = await openLab(engine, labBackends(1));
      await lab.bucket('b');
      await put(lab, 'b', 'k', 'content');
      await put(lab, 'b', 'unread', 'content');
      assert.equal(String(await read(lab, 'b', 'k')), 'content');
      const here = lab.store.fate;
      lab.store.fate = () => 'refuse';
      lab.store.onRead = () => {
        throw away('none');
      };
      const signal = AbortSignal.timeout(5_000);
      const stale = await lab.gateway.objects.open({ bucket: 'b', key: 'k', range: () => null, signal });
      assert.ok(stale.isStale);
      assert.equal(String(await read(lab, 'b', 'k')), 'content');
      await assert.rejects(read(lab, 'b', 'unread'), { kind: 'unavailable' });
      await assert.rejects(put(lab, 'b', 'k', 'new'), { kind: 'unavailable' });
      lab.store.fate = here;
      lab.store.onRead = () => {};
      await put(lab, 'b', 'k', 'newer');
      await remove(lab, 'b', 'unread');
      assert.equal(String(await read(lab, 'b', 'k')), 'newer');
      await assertClean(lab);
      await lab.close();
    });

    test('with the store away, nobody is told that there is nothing where another gateway may have written', async () => {
      const lab = await openLab(engine, labBackends(1));
      await lab.bucket('b', { versioning: 'enabled' });
      await put(lab, 'b', 'k', 'old');
      await remove(lab, 'b', 'k');
      await assert.rejects(read(lab, 'b', 'k'), { kind: 'not_found' });
      const other = await lab.another();
      await put(other, 'b', 'k', 'new');
      lab.store.onRead = () => {
        throw away('none');
      };
      for (const look of [() => read(lab, 'b', 'k'), () => lab.gateway.objects.stat({ bucket: 'b', key: 'k' })]) {
        await assert.rejects(look, { kind: 'unavailable' });
      }
      await other.close();
      await lab.close();
    });
  }
});

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { onEveryStore } from '../support/stores.ts';
import { assertClean, assertEmpty, chunked, count, put, read, remove, usedBytes } from './acts.ts';
import { labBackends, openLab } from './lab.ts';

onEveryStore('writing objects', (engine) => {
  test('failure 1: when the commit of an overwrite fails, the old object stays whole', async () => {
    for (const fate of ['refuse', 'drop'] as const) {
      const lab = await openLab(engine, labBackends(2));
      await lab.bucket('b', { copies: 2 });
      const old = randomBytes(300_000);
      const before = await put(lab, 'b', 'k', old);
      lab.store.fate = (name) => (name === 'commitObject' ? fate : 'pass');
      await assert.rejects(put(lab, 'b', 'k', randomBytes(1_000)), { kind: 'unavailable' });
      await assert.rejects(put(lab, 'b', 'k', chunked(500_000), { sizeBytes: 500_000 }), { kind: 'unavailable' });
      lab.store.fate = () => 'pass';
      await assertClean(lab);
      assert.deepEqual(await read(lab, 'b', 'k'), old);
      assert.deepEqual(await lab.gateway.objects.stat({ bucket: 'b', key: 'k' }), before);
      assert.equal(lab.backends[0]!.backend.blobs.size, 1);
      await lab.close();
    }
  });

  test('failure 3: of many puts of one key at once one stands, nothing is orphaned and the books are exact', async () => {
    const lab = await openLab(engine, labBackends(3));
    const other = await lab.another();
    await lab.bucket('b', { copies: 2, durability: 'one' });
    const contents = Array.from({ length: 24 }, (_, index) => randomBytes(1_000 + index));
    const versions = await Promise.all(
      contents.map((bytes, index) => put(index % 2 === 0 ? lab : other, 'b', 'k', bytes)),
    );
    await other.gateway.writer.settle();
    await assertClean(lab);
    const standing = await lab.gateway.objects.stat({ bucket: 'b', key: 'k' });
    const winner = versions.findIndex(({ contentId }) => contentId === standing.contentId);
    assert.deepEqual(await read(lab, 'b', 'k'), contents[winner]);
    assert.equal(await count(lab.store, 'objects'), 1);
    await remove(lab, 'b', 'k');
    await assertEmpty(lab);
    await other.close();
    await lab.close();
  });

  test('failure 2: a copy that comes late never touches what was committed meanwhile', async () => {
    const lab = await openLab(engine, labBackends(2));
    await lab.bucket('b', { copies: 2, durability: 'one' });
    lab.backends[1]!.backend.faults.push({ verb: 'put', times: 1, effect: 'slow', delayMs: 150 });
    await put(lab, 'b', 'k', 'first');
    await put(lab, 'b', 'k', 'second');
    await lab.gateway.writer.settle();
    await assertClean(lab);
    assert.equal(String(await read(lab, 'b', 'k')), 'second');
    assert.deepEqual(
      lab.backends.map(({ backend }) => backend.blobs.size),
      [1, 1],
    );
    await remove(lab, 'b', 'k');
    await assertEmpty(lab);
    await lab.close();
  });

  test('failure 2: a late copy that fails is made again by the replicator', async () => {
    const lab = await openLab(engine, labBackends(2));
    await lab.bucket('b', { copies: 2, durability: 'one' });
    for (const effect of ['fail', 'lost_answer', 'full'] as const) {
      lab.backends[1]!.backend.faults.push({ verb: 'put', times: 1, effect });
      await put(lab, 'b', effect, 'content');
    }
    await assertClean(lab);
    assert.equal((await lab.check()).copies, 6);
    await lab.close();
  });

  test('failure 8: metadata goes before bytes, when writing and when deleting', async () => {
    const lab = await openLab(engine, labBackends(1));
    const { backend } = lab.backends[0]!;
    await lab.bucket('b');
    const seen: string[] = [];
    lab.store.fate = (name) => {
      seen.push(`${name} with ${backend.blobs.size} blobs`);
      return 'pass';
    };
    await put(lab, 'b', 'k', 'one');
    await put(lab, 'b', 'k', 'two');
    await remove(lab, 'b', 'k');
    assert.equal(backend.blobs.size, 2, 'bytes stand until the ledger says otherwise');
    assert.deepEqual(seen, [
      'claimRoom with 0 blobs',
      'commitObject with 1 blobs',
      'claimRoom with 1 blobs',
      'commitObject with 2 blobs',
      'removeObject with 2 blobs',
    ]);
    await assert.rejects(read(lab, 'b', 'k'), { details: { key: 'k', s3: 'NoSuchKey', http_status: 404 } });
    await assertEmpty(lab);
    await lab.close();
  });

  test('failure 14: a stream that breaks, ends short or is too long never becomes an object', async () => {
    for (const copies of [1, 3]) {
      const lab = await openLab(engine, labBackends(copies));
      await lab.bucket('b', { copies, durability: 'one' });
      await put(lab, 'b', 'k', 'old');
      async function* broken() {
        yield* chunked(600_000);
        throw new Error('the client is gone');
      }
      await assert.rejects(put(lab, 'b', 'k', broken(), { sizeBytes: 700_000 }), /the client is gone/);
      await assert.rejects(put(lab, 'b', 'k', chunked(600_000), { sizeBytes: 600_001 }), /Fewer bytes/);
      await assert.rejects(put(lab, 'b', 'k', chunked(600_000), { sizeBytes: 599_999 }), /More bytes/);
      await assert.rejects(put(lab, 'b', 'k', Buffer.from('abc'), { sizeBytes: 4 }), /Fewer bytes/);
      const md5 = Buffer.alloc(16);
      await assert.rejects(put(lab, 'b', 'k', chunked(600_000), { sizeBytes: 600_000, md5 }), /Content-MD5/);
      await assert.rejects(put(lab, 'b', 'k', Buffer.from('abc'), { md5 }), /Content-MD5/);
      const gone = new AbortController();
      async function* leaving() {
        yield* chunked(600_000);
        gone.abort(new Error('nobody listens'));
        yield* chunked(100_000);
      }
      const request = { sizeBytes: 700_000, signal: gone.signal };
      await assert.rejects(put(lab, 'b', 'k', leaving(), request), /nobody listens/);
      await assertClean(lab);
      assert.equal(String(await read(lab, 'b', 'k')), 'old');
      assert.equal(lab.backends[0]!.backend.blobs.size, 1);
      await lab.close();
    }
  });

  test('a write whose room is not enough leaves nothing on the books', async () => {
    const lab = await openLab(engine, labBackends(2, { quotaBytes: 100_000 }));
    await lab.bucket('two', { copies: 2 });
    await lab.bucket('three', { copies: 3 });
    await assert.rejects(put(lab, 'three', 'k', 'content'), { kind: 'unavailable' });
    assert.equal(await usedBytes(lab.store, 'm1'), 0, 'nothing was sent, so nothing is owed');
    await assert.rejects(put(lab, 'two', 'k', Buffer.alloc(200_000)), {
      details: { s3: 'InsufficientStorage', http_status: 507 },
    });
    assert.equal(await usedBytes(lab.store, 'm1'), 0);
    await put(lab, 'two', 'k', Buffer.alloc(80_000));
    await assertClean(lab);
    await lab.close();
  });
});

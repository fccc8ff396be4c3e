import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { type ObjectErrorCode, s3CodeOf } from '../../src/objects/errors.ts';
import { MemoryObjectBackend } from '../../src/objects/backends/memory/memory.ts';
import { chunksOf } from '../../src/objects/content/content.ts';
import { onEveryStore } from '../support/stores.ts';
import { assertClean, assertEmpty, beginUpload, chunked, complete, count, put, putPart, read, remove } from './acts.ts';
import { labBackends, openLab } from './lab.ts';

const MIB = 1024 ** 2;

async function isRefused(work: Promise<unknown>, code: ObjectErrorCode): Promise<void> {
  const error = await work.then(
    () => new Error('it was not refused'),
    (thrown: unknown) => thrown,
  );
  assert.equal(s3CodeOf(error), code, String(error));
}

/** A backend that keeps nothing of what is put, and tells how much it has taken. */
class Sink extends MemoryObjectBackend {
  takenBytes = 0;
  readonly #everyTurns: number;

  constructor(everyTurns: number) {
    super();
    this.#everyTurns = everyTurns;
  }

  override async put(...[, content]: Parameters<MemoryObjectBackend['put']>): Promise<void> {
    let chunks = 0;
    for await (const chunk of chunksOf(content)) {
      this.takenBytes += chunk.length;
      if (++chunks % this.#everyTurns === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

onEveryStore('uploads in parts', (engine) => {
  test('failure 16: an upload is only found under its own bucket and key', async () => {
    const lab = await openLab(engine, labBackends(1));
    const { uploads } = lab.gateway;
    await lab.bucket('mine');
    await lab.bucket('theirs');
    const upload = await beginUpload(lab, 'theirs', 'k');
    const part = await putPart(lab, upload, 1, Buffer.from('part'));
    for (const [bucket, key] of [
      ['mine', 'k'],
      ['theirs', 'other'],
      ['absent', 'k'],
    ] as const) {
      const wrong = { ...upload, bucket, key };
      await isRefused(uploads.get(wrong), 'NoSuchUpload');
      await isRefused(putPart(lab, wrong, 1, Buffer.from('stolen')), 'NoSuchUpload');
      await isRefused(uploads.listParts(wrong, { after: 0, limit: 10 }), 'NoSuchUpload');
      await isRefused(complete(lab, wrong, [part]), 'NoSuchUpload');
      await isRefused(uploads.abort(wrong, 'tester'), 'NoSuchUpload');
      const source = { ref: { bucket: 'theirs', key: 'k' }, range: null, conditions: {} };
      const signal = AbortSignal.timeout(5_000);
      await isRefused(uploads.copyPart(wrong, 1, source, { actor: 'tester', signal }), 'NoSuchUpload');
    }
    await complete(lab, upload, [part]);
    const stolen = { ...upload, bucket: 'mine' };
    await isRefused(complete(lab, stolen, [part]), 'NoSuchUpload');
    assert.equal(String(await read(lab, 'theirs', 'k')), 'part');
    await assertClean(lab);
    await lab.close();
  });

  test('failure 23: completing compares parts, and takes them only as they were listed', async () => {
    const lab = await openLab(engine, labBackends(1));
    await lab.bucket('b');
    const upload = await beginUpload(lab, 'b', 'k');
    const large = randomBytes(5 * MIB);
    const one = await putPart(lab, upload, 1, large);
    const two = await putPart(lab, upload, 2, Buffer.from('two'));
    const small = await putPart(lab, upload, 3, Buffer.from('three'));
    await isRefused(complete(lab, upload, []), 'MalformedXML');
    await isRefused(complete(lab, upload, [{ part: 1, etag: two.etag }]), 'InvalidPart');
    await isRefused(complete(lab, upload, [one, { part: 9, etag: two.etag }]), 'InvalidPart');
    await isRefused(complete(lab, upload, [two, one]), 'InvalidPartOrder');
    await isRefused(complete(lab, upload, [one, one]), 'InvalidPartOrder');
    await isRefused(complete(lab, upload, [two, small]), 'EntityTooSmall');
    for (const part of [0, 10_001, 1.5])
      await isRefused(putPart(lab, upload, part, Buffer.from('x')), 'InvalidArgument');
    const again = await putPart(lab, upload, 2, Buffer.from('two again'));
    await isRefused(complete(lab, upload, [one, two]), 'InvalidPart');
    const version = await complete(lab, upload, [one, again]);
    assert.deepEqual(await complete(lab, upload, [one, again]), version);
    await isRefused(putPart(lab, upload, 2, Buffer.from('late')), 'NoSuchUpload');
    await isRefused(lab.gateway.uploads.abort(upload, 'tester'), 'NoSuchUpload');
    assert.deepEqual(await read(lab, 'b', 'k'), Buffer.concat([large, Buffer.from('two again')]));
    await assertClean(lab);
    assert.equal(lab.backends[0]!.backend.blobs.size, 2, 'displaced and unlisted parts are gone');
    await remove(lab, 'b', 'k');
    await assertEmpty(lab);
    await lab.close();
  });

  test('failure 23: nothing is left of parts that raced with completion, abortion or each other', async () => {
    const lab = await openLab(engine, labBackends(2));
    const other = await lab.another();
    await lab.bucket('b', { copies: 2, durability: 'one' });
    for (const [round, end] of (['complete', 'abort', 'complete', 'abort'] as const).entries()) {
      const upload = await beginUpload(lab, 'b', `k${round}`);
      const first = await putPart(lab, upload, 1, Buffer.from('first'));
      const late = Array.from({ length: 6 }, (_, index) =>
        putPart(index % 2 === 0 ? lab : other, upload, 1 + (index % 2), randomBytes(100)).catch(
          (error: unknown) => error,
        ),
      );
      const ended =
        end === 'abort'
          ? lab.gateway.uploads.abort(upload, 'tester')
          : complete(other, upload, [first]).catch(() => {});
      await Promise.all([...late, ended]);
      // A part that was uploaded again before made the completion fail; then it is given up.
      await lab.gateway.uploads.abort(upload, 'tester').catch(() => {});
      const listed = await lab.gateway.uploads.listParts(upload, { after: 0, limit: 1000 }).catch(s3CodeOf);
      assert.equal(listed, 'NoSuchUpload');
    }
    await other.gateway.writer.settle();
    await assertClean(lab);
    for (let round = 0; round < 4; round++) await remove(lab, 'b', `k${round}`);
    await assertEmpty(lab);
    await other.close();
    await lab.close();
  });

  test('failure 23: completing and completing again at once gives one object and one answer', async () => {
    const lab = await openLab(engine, labBackends(1));
    await lab.bucket('b', { versioning: 'enabled' });
    const upload = await beginUpload(lab, 'b', 'k');
    const part = await putPart(lab, upload, 1, Buffer.from('part'));
    const versions = await Promise.all(Array.from({ length: 6 }, () => complete(lab, upload, [part])));
    assert.equal(new Set(versions.map(({ versionId }) => versionId)).size, 1);
    assert.equal(await count(lab.store, 'objects'), 1);
    await assertClean(lab);
    await lab.close();
  });

  test('failure 23: a part that breaks leaves the one before it, and nothing of itself', async () => {
    const lab = await openLab(engine, labBackends(1));
    await lab.bucket('b');
    const upload = await beginUpload(lab, 'b', 'k');
    const part = await putPart(lab, upload, 1, Buffer.from('whole'));
    await isRefused(putPart(lab, upload, 1, chunked(400_000), 400_001), 'IncompleteBody');
    await assertClean(lab);
    assert.deepEqual(await lab.gateway.uploads.listParts(upload, { after: 0, limit: 10 }), [part]);
    await complete(lab, upload, [part]);
    assert.equal(String(await read(lab, 'b', 'k')), 'whole');
    await lab.close();
  });

  test('a completed upload is forgotten after a week; the object stays, and an open one that somebody goes on with', async () => {
    const lab = await openLab(engine, labBackends(1));
    await lab.bucket('b');
    const upload = await beginUpload(lab, 'b', 'k');
    const part = await putPart(lab, upload, 1, Buffer.from('part'));
    const version = await complete(lab, upload, [part]);
    const open = await beginUpload(lab, 'b', 'open');
    await putPart(lab, open, 1, Buffer.from('open'));
    const { uploads } = lab.keepers();
    const { signal } = new AbortController();
    lab.clock.advance(6.9 * 86_400_000);
    await uploads.run(signal);
    assert.deepEqual(await complete(lab, upload, [part]), version);
    await putPart(lab, open, 2, Buffer.from('more'));
    lab.clock.advance(0.2 * 86_400_000);
    await uploads.run(signal);
    assert.equal(await count(lab.store, 'uploads'), 1);
    await isRefused(complete(lab, upload, [part]), 'NoSuchUpload');
    assert.equal(String(await read(lab, 'b', 'k')), 'part');
    await assertClean(lab);
    await lab.gateway.uploads.abort(open, 'tester');
    await remove(lab, 'b', 'k');
    await assertEmpty(lab);
    await lab.close();
  });

  test('a bucket with an open upload is not deleted; with one that ended it is', async () => {
    const lab = await openLab(engine, labBackends(1));
    await lab.bucket('b');
    const upload = await beginUpload(lab, 'b', 'k');
    await isRefused(lab.gateway.buckets.delete('b', 'tester'), 'BucketNotEmpty');
    await complete(lab, upload, [await putPart(lab, upload, 1, Buffer.from('part'))]);
    await isRefused(lab.gateway.buckets.delete('b', 'tester'), 'BucketNotEmpty');
    await remove(lab, 'b', 'k');
    await lab.gateway.buckets.delete('b', 'tester');
    await isRefused(put(lab, 'b', 'k', 'content'), 'NoSuchBucket');
    await assertEmpty(lab);
    await lab.close();
  });

  if (engine.name !== 'sqlite') return;

  test('failure 23: a stream of 200 MiB to three backends has few bytes in flight at any time', async () => {
    const sinks = [new Sink(1), new Sink(4), new Sink(16)];
    const lab = await openLab(
      engine,
      sinks.map((backend, index) => ({ name: `m${index + 1}`, backend })),
    );
    await lab.bucket('b', { copies: 3 });
    const sizeBytes = 200 * MIB;
    let givenBytes = 0;
    let inFlightBytes = 0;
    async function* stream() {
      for await (const chunk of chunked(sizeBytes, 262_144)) {
        givenBytes += chunk.length;
        inFlightBytes = Math.max(inFlightBytes, givenBytes - Math.min(...sinks.map(({ takenBytes }) => takenBytes)));
        yield chunk;
      }
    }
    const version = await put(lab, 'b', 'k', stream(), { sizeBytes });
    assert.equal(version.sizeBytes, sizeBytes);
    assert.ok(inFlightBytes <= 2 * MIB, `${inFlightBytes} bytes were in flight`);
    await lab.close();
  });
});

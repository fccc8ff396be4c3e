import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { onEveryStore } from '../support/stores.ts';
import { memoryBackends, openWorld } from './world.ts';

onEveryStore('the gateway', (engine) => {
  test('what was put is read, listed, copied, changed and removed', async () => {
    const backends = memoryBackends(2);
    const world = await openWorld(engine, backends);
    await world.bucket('photos', { copies: 2 });
    const content = randomBytes(300_000);
    const version = await world.put('photos', 'a/b.jpg', content);
    assert.equal(version.sizeBytes, 300_000);
    assert.deepEqual(await world.read('photos', 'a/b.jpg'), content);
    assert.deepEqual(
      backends.map(({ backend }) => backend.blobs.size),
      [1, 1],
    );
    await world.put('photos', 'a/b.jpg', 'new');
    assert.equal(String(await world.read('photos', 'a/b.jpg')), 'new');
    const page = { bucket: 'photos', prefix: '', delimiter: '/', after: null, limit: 10 };
    assert.deepEqual((await world.gateway.objects.list(page)).prefixes, ['a/']);
    const removal = { actor: 'tester', conditions: {}, bypassGovernance: false };
    await world.gateway.objects.remove({ bucket: 'photos', key: 'a/b.jpg' }, removal);
    await assert.rejects(world.read('photos', 'a/b.jpg'), {
      details: { key: 'a/b.jpg', s3: 'NoSuchKey', http_status: 404 },
    });
    await world.gateway.buckets.delete('photos', 'tester');
    await world.close();
  });

  test('a stream goes to all backends with one reading of it', async () => {
    const world = await openWorld(engine, memoryBackends(3));
    await world.bucket('big', { copies: 3, durability: 'quorum' });
    const chunk = randomBytes(100_000);
    async function* stream() {
      for (let index = 0; index < 50; index++) yield chunk;
    }
    const version = await world.put('big', 'stream', stream(), { sizeBytes: 5_000_000 });
    assert.equal(version.sizeBytes, 5_000_000);
    await world.gateway.writer.settle();
    assert.equal((await world.read('big', 'stream')).length, 5_000_000);
    await assert.rejects(world.put('big', 'short', stream(), { sizeBytes: 5_000_001 }), /Fewer bytes/);
    assert.deepEqual(world.problems, []);
    await world.close();
  });

  test('parts become an object without moving', async () => {
    const world = await openWorld(engine, memoryBackends(1));
    await world.bucket('parts');
    const { uploads } = world.gateway;
    const upload = await uploads.create({
      bucket: 'parts',
      key: 'k',
      owner: 'tester',
      attributes: { contentType: 'x/y', headers: {}, metadata: { a: 'b' } },
      tags: {},
      lock: null,
      checksum: null,
    });
    const signal = AbortSignal.timeout(10_000);
    const one = randomBytes(5 * 1024 ** 2);
    const ref = { bucket: 'parts', key: 'k', uploadId: upload.uploadId };
    const first = await uploads.putPart(ref, 1, { sizeBytes: one.length, content: one, signal }, 'tester');
    const last = await uploads.putPart(ref, 7, { sizeBytes: 3, content: Buffer.from('end'), signal }, 'tester');
    const parts = [first, last].map(({ part, etag }) => ({ part, etag }));
    const version = await uploads.complete({ ...ref, parts, conditions: {}, actor: 'tester' });
    assert.match(version.etag, /-2$/);
    assert.deepEqual(await world.read('parts', 'k'), Buffer.concat([one, Buffer.from('end')]));
    assert.equal((await uploads.complete({ ...ref, parts, conditions: {}, actor: 'tester' })).etag, version.etag);
    await world.close();
  });
});

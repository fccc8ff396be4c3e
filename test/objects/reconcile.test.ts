import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { createIdSource } from '../../src/kernel/ids.ts';
import { reconcileKeeper } from '../../src/objects/keepers/reconcile.ts';
import { s3CodeOf } from '../../src/objects/errors.ts';
import type { MemoryObjectBackend } from '../../src/objects/backends/memory/memory.ts';
import { onEveryStore } from '../support/stores.ts';
import { assertClean, assertEmpty, count, put, read, remove, usedBytes } from './acts.ts';
import { type Lab, labBackends, openLab } from './lab.ts';

const { signal } = new AbortController();
const dayMs = 86_400_000;

/** Puts a blob on a backend behind the gateway's back. */
function plant(backend: MemoryObjectBackend, key: string, bytes: Buffer | string): void {
  backend.blobs.set(key, { bytes: Buffer.from(bytes), modifiedAtMs: Date.now() });
}

async function eventsOf(lab: Lab, type: string): Promise<Record<string, unknown>[]> {
  const statement = 'select data from events where type = ? order by id';
  const rows = await lab.store.read((reader) => reader.rows<{ data: string }>(statement, [type]));
  return rows.map(({ data }) => JSON.parse(data) as Record<string, unknown>);
}

/** A storage key as the gateway gives them, that it gave to nobody. */
function likeKey(key: string): string {
  return `${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`;
}

onEveryStore('the reconciler', (engine) => {
  test('failure 9: what was deleted never comes back, neither before its bytes are gone nor as an orphan', async () => {
    const lab = await openLab(engine, labBackends(1));
    const { backend } = lab.backends[0]!;
    await lab.bucket('b');
    await put(lab, 'b', 'gone', 'gone');
    plant(backend, 'b/foreign', 'foreign');
    const [[key, blob]] = [...backend.blobs] as [[string, { bytes: Buffer; modifiedAtMs: number }]];
    backend.faults.push({ verb: 'delete', times: Number.POSITIVE_INFINITY, effect: 'fail' });
    const { reconciler, cleanup } = lab.keepers({ unknown: 'import' });
    assert.match(await reconciler.run(signal), /2 blobs compared, .* 0 unknown .* 1 too young/);
    lab.clock.advance(2 * dayMs);
    const plan = await reconciler.plan!(signal);
    assert.deepEqual(
      plan.steps.map(({ action, subject }) => `${action} ${subject}`),
      ['import b/foreign on m1'],
    );
    assert.match(await reconciler.run(signal), /1 unknown .* 1 imported/);
    assert.equal(String(await read(lab, 'b', 'foreign')), 'foreign');

    // Deleted, while the bytes of both still stand.
    await remove(lab, 'b', 'gone');
    await remove(lab, 'b', 'foreign');
    await cleanup.run(signal);
    assert.equal(backend.blobs.size, 2);
    assert.match(await reconciler.run(signal), /2 blobs compared, .* 0 unknown/);
    assert.equal(await count(lab.store, 'objects'), 0);
    backend.faults.length = 0;
    await lab.settle();
    assert.equal(backend.blobs.size, 0);

    // A writer that was taken for dead comes late: nobody owns its bytes.
    backend.blobs.set(key, blob);
    plant(backend, likeKey(key), blob.bytes);
    lab.clock.advance(2 * dayMs);
    assert.match(await reconciler.run(signal), /2 unknown \(2 of ours, 0 of others; 0 imported, 2 queued/);
    assert.equal(await read(lab, 'b', 'gone').then(() => null, s3CodeOf), 'NoSuchKey');
    assert.equal(await usedBytes(lab.store, 'm1'), 2 * blob.bytes.length, 'they are on the books until they are gone');
    await assertEmpty(lab);
    await lab.close();
  });

  test('failure 10: keys of any characters are compared in byte order, and imported in place once', async () => {
    const lab = await openLab(engine, labBackends(2));
    const { backend } = lab.backends[0]!;
    await lab.bucket('b', { copies: 2 });
    await put(lab, 'b', 'own', 'own');
    const keys = [
      'Z',
      'a',
      'a/',
      'a b',
      'a%20b',
      '_',
      '~',
      'ä',
      'z/\u{ff5e}',
      'z/\u{10000}',
      'Über/straße',
      '../x',
      'w-1',
    ];
    for (const key of keys) plant(backend, `b/${key}`, `content of ${key}`);
    plant(backend, 'no-such-bucket/x', 'x');
    plant(backend, 'x', 'x');
    lab.clock.advance(2 * dayMs);
    const { reconciler } = lab.keepers({ unknown: 'import' });
    assert.match(await reconciler.run(signal), new RegExp(`0 of ours, 15 of others; ${keys.length} imported`));
    const second = await reconciler.run(signal);
    assert.match(second, /m1: 16 blobs compared, 0 copies missing.* 2 unknown .* 0 imported, 0 queued/);
    for (const key of keys) {
      assert.equal(String(await read(lab, 'b', key)), `content of ${key}`);
      const { etag, sizeBytes } = await lab.gateway.objects.stat({ bucket: 'b', key });
      const content = Buffer.from(`content of ${key}`);
      assert.deepEqual([etag, sizeBytes], [createHash('md5').update(content).digest('hex'), content.length]);
    }
    await lab.settle();
    const { findings, copies } = await lab.check();
    assert.deepEqual([findings.map(({ kind }) => kind), copies], [['orphan', 'orphan'], 2 * (keys.length + 1)]);
    // What stands at home is lost: the copy that was made of it is read.
    backend.blobs.delete('b/ä');
    assert.equal(String(await read(lab, 'b', 'ä')), 'content of ä');
    backend.blobs.delete('no-such-bucket/x');
    backend.blobs.delete('x');
    for (const key of ['own', ...keys]) await remove(lab, 'b', key);
    await assertEmpty(lab);
    await lab.close();
  });

  test('failure 10: a listing out of order ends the comparison, and nothing is done about it', async () => {
    const lab = await openLab(engine, labBackends(1));
    const { backend } = lab.backends[0]!;
    await lab.bucket('b');
    for (const key of ['1', '2', '3']) await put(lab, 'b', key, key);
    const list = backend.list.bind(backend);
    backend.list = async (page, limits) => {
      const { blobs, isTruncated } = await list(page, limits);
      return { blobs: blobs.toReversed(), isTruncated };
    };
    lab.clock.advance(2 * dayMs);
    const { reconciler } = lab.keepers({ unknown: 'delete-after' });
    await assert.rejects(reconciler.run(signal), /is not the order of their bytes/);
    assert.deepEqual([await count(lab.store, 'cleanup'), await count(lab.store, 'copies')], [0, 3]);
    assert.deepEqual(
      (await lab.check()).findings.map(({ kind }) => kind),
      ['unreachable'],
    );
    backend.list = list;
    await assertClean(lab);
    await lab.close();
  });

  test('failure 11: what carries a description of ours under another key is never taken for a plain object', async () => {
    const lab = await openLab(engine, labBackends(1));
    const { backend } = lab.backends[0]!;
    await lab.bucket('b');
    await put(lab, 'b', 'k', 'content');
    const [[key, { bytes }]] = [...backend.blobs] as [[string, { bytes: Buffer; modifiedAtMs: number }]];
    plant(backend, 'b/restored', bytes);
    plant(backend, likeKey(key), bytes.subarray(0, -10));
    lab.clock.advance(2 * dayMs);
    for (const unknown of ['import', 'delete-after', 'report', 'ignore'] as const) {
      assert.match(await lab.keepers({ unknown }).reconciler.run(signal), /2 unknown .* 0 imported, 0 queued/);
    }
    assert.equal(await count(lab.store, 'objects'), 1);
    assert.equal(backend.blobs.size, 3);
    const told = await eventsOf(lab, 'object_backend.unknown_blobs');
    assert.deepEqual([told.length, told[0]!['of_gateway'], told[0]!['of_others']], [3, 0, 2]);
    await lab.close();
  });

  test('copies that are not there or cut short are replaced, and the only one is told and kept', async () => {
    const lab = await openLab(engine, labBackends(2));
    await lab.bucket('b', { copies: 2 });
    await lab.bucket('one');
    for (const key of ['missing', 'short', 'whole']) await put(lab, 'b', key, key);
    await put(lab, 'one', 'k', 'k');
    const { blobs } = lab.backends[0]!.backend;
    const [missing, short, , only] = [...blobs.keys()] as [string, string, string, string];
    blobs.delete(missing);
    blobs.set(short, { ...blobs.get(short)!, bytes: Buffer.from('s') });
    blobs.delete(only);
    const { reconciler } = lab.keepers();
    assert.match(
      await reconciler.run(signal),
      /3 copies missing or of another length \(2 replaced, 1 without a good one\)/,
    );
    await reconciler.run(signal);
    const told = await eventsOf(lab, 'integrity.corruption_detected');
    assert.deepEqual(
      told.map(({ key, kept }) => [key, kept]),
      [
        ['missing', false],
        ['short', false],
        ['k', true],
      ],
    );
    await lab.settle();
    assert.deepEqual(
      (await lab.check()).findings.map(({ kind }) => kind),
      ['missing_copy'],
    );
    for (const key of ['missing', 'short', 'whole']) assert.equal(String(await read(lab, 'b', key)), key);
    await remove(lab, 'one', 'k');
    await assertClean(lab);
    await lab.close();
  });

  test('one blob that cannot be looked at does not keep the others from being compared', async () => {
    const lab = await openLab(engine, labBackends(1));
    const { backend } = lab.backends[0]!;
    await lab.bucket('b');
    for (const key of ['b/1', 'b/2', 'b/3']) plant(backend, key, key);
    lab.clock.advance(2 * dayMs);
    backend.faults.push({ verb: 'head', key: 'b/1', times: Number.POSITIVE_INFINITY, effect: 'fail' });
    const { reconciler } = lab.keepers({ unknown: 'import' });
    assert.match(await reconciler.run(signal), /2 imported, .* 1 could not be looked at/);
    backend.faults.length = 0;
    assert.match(await reconciler.run(signal), /1 imported, 0 queued for deletion\), 0 too young to say$/);
    await assertClean(lab);
    await lab.close();
  });

  test('a round that is stopped goes on where it was, in another process', async () => {
    const lab = await openLab(engine, labBackends(3));
    for (const { backend } of lab.backends) {
      for (let index = 0; index < 2_500; index++) plant(backend, `of-others/${String(index).padStart(4, '0')}`, 'x');
    }
    const stopping = new AbortController();
    const { reconciler } = lab.keepers();
    const result = await reconciler.run(stopping.signal, ({ done, detail }) => {
      if (detail === 'm2' && done === 4_500) stopping.abort();
    });
    assert.match(result, /m1: 2500 blobs compared.*m2: stopped$/);
    const next = await lab.restart();
    const rest = await next.keepers().reconciler.run(signal);
    assert.match(rest, /^m2: 500 blobs compared, .* m3: 2500 blobs compared/);
    assert.match(await next.keepers().reconciler.run(signal), /^m1: 2500 blobs .* m2: 2500 blobs .* m3: 2500 blobs/);
    await lab.close();
  });

  test('a process that starts again and again does not list everything each time, and still does when asked', async () => {
    const lab = await openLab(engine, labBackends(1));
    const { store, registry, clock } = lab;
    const settings = { periodMs: dayMs, unknown: 'report', graceMs: dayMs } as const;
    const onError = (error: unknown) => assert.ifError(error);
    const start = () => reconcileKeeper({ store, registry, clock, newId: createIdSource(), ...settings, onError });
    assert.match(await start().run(signal), /^m1: 0 blobs compared/);
    const second = start();
    assert.equal(await second.run(signal), 'compared not long before this process started');
    assert.match(await second.run(signal), /^m1: 0 blobs compared/);
    clock.advance(dayMs);
    assert.match(await start().run(signal), /^m1: 0 blobs compared/);
    await lab.close();
  });

  test('a backend that lost most of what it had is left to a person, and one that does not answer is told', async () => {
    const lab = await openLab(engine, labBackends(2));
    await lab.bucket('b', { copies: 2 });
    for (let index = 0; index < 130; index++) await put(lab, 'b', `k${index}`, 'x');
    const { backend } = lab.backends[0]!;
    const held = new Map(backend.blobs);
    backend.blobs.clear();
    const { reconciler } = lab.keepers();
    await assert.rejects(reconciler.run(signal), /More than half of the copies that should stand on m1 are not there/);
    assert.equal(await count(lab.store, `copies where backend = 'm1'`), 30, 'a hundred were replaced, and no more');
    for (const [key, blob] of held) backend.blobs.set(key, blob);
    backend.faults.push({ verb: 'list', times: 1, effect: 'unreachable' });
    await assert.rejects(reconciler.run(signal), /m1: .* cannot be reached.*m2: 130 blobs compared/);
    await assertClean(lab);
    await lab.close();
  });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createSealer } from '../../kernel/secrets/sealer.ts';
import { toSecretKey } from '../../kernel/secrets/secret-key.ts';
import type { Store } from '../../kernel/store/store.ts';
import { openStore } from '../../kernel/store/open.ts';
import { openFresh, onEveryStore } from '../../../test/support/stores.ts';
import { temporaryDirectory } from '../../../test/support/temp.ts';
import { until } from '../../../test/support/wait.ts';
import { isKind } from './conformance/suite.ts';
import { defaultBreakerPolicy } from './breaker.ts';
import { MemoryPlaces, backendMigrations, freshBackends, memoryAt, openBackends } from './test-backends.ts';
import { anySignal } from './test-guard.ts';

const blob = Buffer.from('content');
const put = { sizeBytes: blob.length, signal: anySignal() };

onEveryStore('the registry of backends', (engine) => {
  test('opens the backends of the rows, in order of position, also after a restart', async () => {
    const store = await openFresh(engine, backendMigrations);
    const places = new MemoryPlaces();
    {
      await using rig = await openBackends(store, { places });
      await rig.service.add(memoryAt('b', { position: 2, labels: { zone: 'west' } }), 'ann');
      await rig.service.add(memoryAt('a', { position: 1, quota_bytes: '1000', object_bytes_max: 10 }), 'ann');
      await rig.service.add(memoryAt('c'), 'ann');
      assert.deepEqual(
        rig.registry.all.map(({ name }) => name),
        ['a', 'b', 'c'],
      );
    }
    const again = await openBackends(store, { places });
    assert.deepEqual(
      again.registry.all.map(({ name, position }) => `${name} ${position}`),
      ['a 1', 'b 2', 'c 3'],
    );
    const [a, b] = [again.registry.get('a')!, again.registry.get('b')!];
    assert.deepEqual([a.quotaBytes, a.objectBytesMax, a.state, a.kind], [1000, 10, 'active', 'memory']);
    assert.deepEqual(b.labels, { zone: 'west' });
    await b.backend.put('key', blob, put);
    assert.ok(places.at('b').blobs.has('key'));
    assert.equal(again.registry.get('nothing'), null);
    await again[Symbol.asyncDispose]();
    await store.close();
  });

  test('opens again only what has other settings, and lets what is under way there end', async () => {
    await using rig = await freshBackends(engine);
    const { registry, places, service } = rig;
    await service.add(memoryAt('a'), 'ann');
    const opens = places.opens.length;
    const before = registry.get('a')!.backend;
    await service.change('a', { labels: { tier: 'cold' }, isTestSkipped: false, isForced: false }, 'ann');
    await service.setState('a', 'draining', 'ann');
    const known = registry.get('a')!;
    assert.deepEqual([known.labels, known.state, known.version], [{ tier: 'cold' }, 'draining', 3]);
    assert.equal(known.backend, before);
    assert.equal(places.opens.length, opens);
    const large = Buffer.alloc(1_000_000);
    await before.put('large', large, { sizeBytes: large.length, signal: anySignal() });
    const reading = await before.get('large', null, anySignal());
    const closes = places.closes.length;
    await service.change('a', { config: { place: 'b' }, isTestSkipped: true, isForced: true }, 'ann');
    assert.notEqual(registry.get('a')!.backend, before);
    assert.equal(places.closes.length, closes, 'a stream is still being read there');
    let readBytes = 0;
    for await (const chunk of reading!.content as AsyncIterable<Buffer>) readBytes += chunk.length;
    assert.equal(readBytes, large.length);
    await until('the one before is closed', () => places.closes.length > closes);
    assert.equal(places.closes.at(-1), 'a');
  });

  test('one that cannot be opened has its reason, refuses every call, and stops no other', async () => {
    const store = await openFresh(engine, backendMigrations);
    const other = createSealer(toSecretKey(Buffer.alloc(32, 8), 'another'));
    const places = new MemoryPlaces();
    {
      await using rig = await openBackends(store, { places });
      await rig.service.add(memoryAt('well'), 'ann');
      await rig.service.add(memoryAt('sealed', { secrets: { password: 'open sesame' } }), 'ann');
      await rig.service.add(memoryAt('impossible', { isTestSkipped: true }), 'ann');
    }
    const rig = await openBackends(store, { places, sealer: other });
    const problems = rig.registry.all.map(({ name, problem }) => [name, problem?.slice(0, 30) ?? null]);
    assert.deepEqual(problems, [
      ['well', null],
      ['sealed', 'A sealed secret cannot be open'],
      ['impossible', 'There is no such place.'],
    ]);
    const sealed = rig.registry.get('sealed')!;
    assert.equal(sealed.isOpenFor('read'), false);
    assert.equal(sealed.isOpenFor('write'), false);
    await assert.rejects(sealed.backend.head('a', anySignal()), isKind('unavailable', { reason: 'not_opened' }));
    assert.equal(await rig.registry.get('well')!.backend.head('a', anySignal()), null);
    await rig[Symbol.asyncDispose]();
    await store.close();
  });

  test('forgets what was removed, and takes one of the same name for another', async () => {
    await using rig = await freshBackends(engine);
    await rig.service.add(memoryAt('a'), 'ann');
    await rig.service.remove('a', 'ann');
    assert.equal(rig.registry.get('a'), null);
    assert.deepEqual(rig.registry.all, []);
    await until('it is closed', () => rig.places.closes.length === rig.places.opens.length);
    await rig.service.add({ ...memoryAt('b'), name: 'a' }, 'ann');
    await rig.registry.get('a')!.backend.put('key', blob, put);
    assert.ok(rig.places.at('b').blobs.has('key'));
  });

  test('tells whether a monthly limit is reached, and flushes what was used when it closes', async () => {
    const store = await openFresh(engine, backendMigrations);
    {
      await using rig = await openBackends(store);
      await rig.service.add(memoryAt('a', { month_ingress_bytes_max: 2 * blob.length }), 'ann');
      const known = rig.registry.get('a')!;
      await known.backend.put('one', blob, put);
      assert.equal(known.isOver('ingress'), false);
      await known.backend.put('two', blob, put);
      assert.equal(known.isOver('ingress'), true);
      assert.equal(known.isOver('requests'), false);
    }
    const [row] = await usageRows(store);
    assert.equal(row?.ingress_bytes, 2 * blob.length);
    await store.close();
  });
});

describe('the registries of two processes on one store', () => {
  test('hear of each other', async () => {
    // Two handles on one embedded store stand for two processes on a shared one.
    await using directory = await temporaryDirectory();
    const settings = {
      databaseUrl: undefined,
      dataDirectory: directory.path,
      timeoutMs: 5_000,
      migrations: backendMigrations,
    };
    const [ours, theirs] = [await openStore(settings, { owner: true }), await openStore(settings, { owner: false })];
    const places = new MemoryPlaces();
    const [a, b] = [await openBackends(ours, { places }), await openBackends(theirs, { places })];
    try {
      await a.service.add(memoryAt('disk'), 'ann');
      const known = await until('the other knows it', () => b.registry.get('disk'));
      await a.service.setState('disk', 'draining', 'ann');
      await until('the other knows that it drains', () => known.state === 'draining');
      await a.service.remove('disk', 'ann');
      await until('the other has forgotten it', () => b.registry.all.length === 0);
    } finally {
      for (const rig of [a, b]) await rig[Symbol.asyncDispose]();
      for (const store of [ours, theirs]) await store.close();
    }
  });

  test('failure 19: a backend whose breaker is open is probed until it works, without any traffic', async () => {
    await using directory = await temporaryDirectory();
    const settings = {
      databaseUrl: undefined,
      dataDirectory: directory.path,
      timeoutMs: 5_000,
      migrations: backendMigrations,
    };
    const store = await openStore(settings, { owner: true });
    const rig = await openBackends(store, { policy: { ...defaultBreakerPolicy, waitMs: 50, waitMaxMs: 100 } });
    try {
      await rig.service.add(memoryAt('disk'), 'ann');
      const { faults } = rig.places.at('disk');
      faults.push(
        { verb: 'head', effect: 'unreachable', times: 5 },
        { verb: 'health', effect: 'unreachable', times: 2 },
      );
      const known = rig.registry.get('disk')!;
      for (let turn = 0; turn < 5; turn++) await assert.rejects(known.backend.head('a', anySignal()));
      assert.equal(known.breaker.state, 'open');
      await until('it is closed again', () => known.breaker.state === 'closed');
      assert.equal(faults.length, 0, 'it took as many probes as it needed');
    } finally {
      await rig[Symbol.asyncDispose]();
      await store.close();
    }
  });
});

async function usageRows(store: Store): Promise<{ ingress_bytes: number }[]> {
  return store.read((reader) => reader.rows('select ingress_bytes from backend_usage', []));
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { eventsOf } from '../../../kernel/events/queries.ts';
import type { Store } from '../../../kernel/store/store.ts';
import { onEveryStore } from '../../../../test/support/stores.ts';
import { claimRoom } from '../../ledger/claim.ts';
import { isKind } from '../conformance/suite.ts';
import { type BackendRig, freshBackends, memoryAt, runStatement } from '../test-backends.ts';
import { anySignal } from '../test-guard.ts';
import { changeBackend } from './change.ts';
import { probePrefix } from './probe.ts';
import { booksOf, findBackend } from './queries.ts';
import type { BackendChange } from './service.ts';

function change(rig: BackendRig, name: string, what: Partial<BackendChange>) {
  return rig.service.change(name, { isTestSkipped: false, isForced: false, ...what }, 'ann');
}

async function typesOf(store: Store, name: string): Promise<string[]> {
  const events = await store.read((reader) => eventsOf(reader, `object-backend:${name}`, 0, 100));
  assert.deepEqual(
    events.map(({ seq }) => seq),
    events.map((_event, index) => index + 1),
  );
  return events.map(({ type, actor }) => `${type} by ${actor}`);
}

async function addRow(store: Store, table: 'copies' | 'intents' | 'cleanup', backend: string, key: string, bytes = 7) {
  const rows = {
    copies: `insert into copies (content_id, part, backend, storage_key, size_bytes, stored_bytes, crc32, created_at)
      values (?, 1, ?, ?, 1, ?, 0, 0)`,
    intents: `insert into intents (write_id, backend, storage_key, stored_bytes, owner, created_at) values (?, ?, ?, ?, 'me', 0)`,
    cleanup: `insert into cleanup (reason, backend, storage_key, stored_bytes, state, due_at, attempts, is_uncertain,
      claimed_until, created_at) values (?, ?, ?, ?, 'waiting', 0, 0, 0, 0, 0)`,
  };
  await store.write(runStatement, { sql: rows[table], values: [key, backend, key, bytes] });
}

onEveryStore('managing backends', (engine) => {
  test('one is added with its secrets sealed, after a blob has lived there', async () => {
    await using rig = await freshBackends(engine);
    const secrets = { password: 'open sesame' };
    const row = await rig.service.add(memoryAt('disk', { secrets, labels: { zone: 'a' }, quota_bytes: 5_000 }), 'ann');
    assert.deepEqual([row.kind, row.state, row.version, row.quota_bytes], ['memory', 'active', 1, 5_000]);
    assert.deepEqual(JSON.parse(row.config), { speed: 'fast', place: 'disk' }, 'with the defaults of its kind');
    assert.doesNotMatch(JSON.stringify(row), /sesame/);
    const disk = rig.places.at('disk');
    assert.deepEqual(disk.calls.map(({ verb }) => verb).slice(0, 5), ['health', 'put', 'get', 'list', 'delete']);
    assert.ok(disk.calls[1]!.key.startsWith(probePrefix));
    assert.equal(disk.blobs.size, 0);
    assert.deepEqual(await typesOf(rig.store, 'disk'), ['object_backend.added by ann']);
    assert.equal(rig.places.opens.length - rig.places.closes.length, 1, 'what was opened for the test is closed');
  });

  test('one that fails its test, is known already, or is named or set up wrongly is not added', async () => {
    await using rig = await freshBackends(engine);
    rig.places.at('bad').faults.push({ verb: 'get', effect: 'corrupt', times: 1 });
    await assert.rejects(rig.service.add(memoryAt('bad'), 'ann'), (error: unknown) => {
      isKind('backend', { reason: 'test_failed', step: 'read' })(error);
      assert.match((error as Error).message, /does not come back as it was.*It was not added/);
      return true;
    });
    assert.equal(rig.places.at('bad').blobs.size, 0, 'the blob is deleted all the same');
    rig.places.at('bad').faults.push({ verb: 'put', effect: 'full', times: 1 });
    await assert.rejects(rig.service.add(memoryAt('bad'), 'ann'), isKind('backend', { step: 'write' }));
    await rig.service.add(memoryAt('good'), 'ann');
    const calls = rig.places.at('good').calls.length;
    await assert.rejects(rig.service.add(memoryAt('good'), 'ann'), isKind('conflict', { field: 'name' }));
    assert.equal(rig.places.at('good').calls.length, calls);
    await assert.rejects(
      rig.service.add(memoryAt('x', { kind: 'tape' }), 'ann'),
      isKind('invalid', { allowed_values: ['memory'] }),
    );
    await assert.rejects(
      rig.service.add(memoryAt('x', { config: {} }), 'ann'),
      isKind('invalid', { field: 'config.place' }),
    );
    for (const name of ['', 'A', '-a', 'a-', 'a/b', 'a'.repeat(64)]) {
      await assert.rejects(rig.service.add(memoryAt('x', { name }), 'ann'), isKind('invalid', { field: 'name' }));
    }
    const tooLarge = memoryAt('x', { quota_bytes: '9223372036854775807' });
    await assert.rejects(rig.service.add(tooLarge, 'ann'), isKind('invalid', { field: 'quota_bytes' }));
    assert.deepEqual(
      rig.registry.all.map(({ name }) => name),
      ['good'],
    );
    await rig.service.add(memoryAt('impossible', { isTestSkipped: true }), 'ann');
    assert.equal(rig.registry.get('impossible')!.problem, 'There is no such place.');
  });

  test('one that is the same place as another is not added, since two copies there would be one', async () => {
    await using rig = await freshBackends(engine);
    await rig.service.add(memoryAt('disk'), 'ann');
    const twin = { ...memoryAt('disk'), name: 'twin', config: { place: 'disk', speed: 'slow' } };
    await assert.rejects(rig.service.add(twin, 'ann'), isKind('conflict', { reason: 'same_place', backend: 'disk' }));
    assert.equal(rig.places.at('disk').blobs.size, 0);
  });

  test('of two that add one name at once, one does', async () => {
    await using rig = await freshBackends(engine);
    const adding = ['a', 'b', 'c'].map((place) => rig.service.add({ ...memoryAt(place), name: 'disk' }, 'ann'));
    const outcomes = await Promise.allSettled(adding);
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    assert.equal(refused.length, 2);
    for (const { reason } of refused) isKind('conflict', { field: 'name' })(reason);
    assert.equal(rig.registry.all.length, 1);
  });

  test('limits, labels and position change without touching the real one; what is absent stays', async () => {
    await using rig = await freshBackends(engine);
    await rig.service.add(memoryAt('disk', { quota_bytes: 100, labels: { zone: 'a' } }), 'ann');
    const opens = rig.places.opens.length;
    await change(rig, 'disk', { month_requests_max: 50, position: 9 });
    await change(rig, 'disk', { quota_bytes: null, labels: {}, version: 2 });
    const row = await rig.store.read((reader) => findBackend(reader, 'disk'));
    assert.deepEqual(
      [row!.quota_bytes, row!.labels, row!.month_requests_max, row!.position, row!.version],
      [null, '{}', 50, 9, 3],
    );
    assert.equal(rig.places.opens.length, opens);
    assert.equal((await change(rig, 'disk', {})).version, 3, 'a change of nothing is none');
    assert.equal((await change(rig, 'disk', { config: { place: 'disk' } })).version, 3);
    await assert.rejects(change(rig, 'disk', { version: 2, position: 1 }), isKind('conflict', { version: 3 }));
    const doing = { actor: 'ann', nowMs: 1 };
    const stale = rig.store.write(changeBackend, { name: 'disk', version: 2, set: { position: 1 }, doing });
    await assert.rejects(stale, isKind('conflict', { version: 3 }));
    await assert.rejects(change(rig, 'nothing', { position: 1 }), isKind('not_found'));
    assert.equal((await typesOf(rig.store, 'disk')).length, 3);
  });

  test('secrets are merged, tested, and never in an event', async () => {
    await using rig = await freshBackends(engine);
    await rig.service.add(memoryAt('disk', { secrets: { user: 'ann', password: 'open sesame' } }), 'ann');
    const wrong = change(rig, 'disk', { secrets: { password: 'wrong secret' } });
    await assert.rejects(wrong, isKind('backend', { reason: 'test_failed', step: 'health' }));
    await change(rig, 'disk', { secrets: { password: null } });
    await change(rig, 'disk', { secrets: { password: 'wrong secret' }, isTestSkipped: true });
    await assert.rejects(rig.registry.get('disk')!.backend.health(anySignal()), /The password is wrong/);
    const events = await rig.store.read((reader) => eventsOf(reader, 'object-backend:disk', 0, 100));
    assert.equal(events.length, 3);
    assert.deepEqual(events[1]!.data['changed'], ['secrets']);
    assert.doesNotMatch(JSON.stringify(events), /sesame|wrong secret/);
  });

  test('settings that lead elsewhere while copies stand there are refused, unless forced', async () => {
    await using rig = await freshBackends(engine);
    await rig.service.add(memoryAt('disk'), 'ann');
    for (const key of ['k1', 'k2', 'k3']) {
      await addRow(rig.store, 'copies', 'disk', key, 5);
      await rig.places.at('disk').put(key, Buffer.from('12345'), { sizeBytes: 5, signal: anySignal() });
    }
    const elsewhere = { config: { place: 'elsewhere' } };
    await assert.rejects(change(rig, 'disk', elsewhere), isKind('conflict', { reason: 'moved' }));
    await assert.rejects(
      change(rig, 'disk', { ...elsewhere, isTestSkipped: true }),
      isKind('conflict', { reason: 'moved' }),
    );
    await change(rig, 'disk', { config: { speed: 'slow' } });
    assert.match(JSON.stringify((await change(rig, 'disk', { config: { speed: null } })).config), /fast/);
    for (const [key, { bytes }] of rig.places.at('disk').blobs) {
      await rig.places.at('elsewhere').put(key, bytes, { sizeBytes: 5, signal: anySignal() });
    }
    rig.places.at('elsewhere').blobs.delete('k3');
    await assert.rejects(change(rig, 'disk', elsewhere), isKind('conflict', { storage_key: 'k3' }));
    await change(rig, 'disk', { ...elsewhere, isForced: true });
    await change(rig, 'disk', { config: { place: 'third' }, isForced: true });
  });

  test('failure 18: draining is a column of the row, and is kept, told and taken back', async () => {
    await using rig = await freshBackends(engine);
    await rig.service.add(memoryAt('disk'), 'ann');
    assert.equal((await rig.service.setState('disk', 'draining', 'ann')).state, 'draining');
    assert.equal((await rig.service.setState('disk', 'draining', 'ann')).version, 2, 'again is no change');
    assert.equal(rig.registry.get('disk')!.state, 'draining');
    const claim = {
      writeId: 'w1',
      storageKey: 'k1',
      storedBytes: 5,
      sizeBytes: 5,
      candidates: ['disk'],
      count: 1,
      owner: 'me',
      nowMs: 1,
    };
    assert.deepEqual(await rig.store.write(claimRoom, claim), [], 'no write is admitted');
    await rig.service.setState('disk', 'active', 'bob');
    assert.deepEqual(await rig.store.write(claimRoom, claim), ['disk']);
    assert.equal(rig.registry.get('disk')!.state, 'active');
    await assert.rejects(rig.service.setState('nothing', 'draining', 'ann'), isKind('not_found'));
    assert.deepEqual(await typesOf(rig.store, 'disk'), [
      'object_backend.added by ann',
      'object_backend.draining by ann',
      'object_backend.active by bob',
    ]);
  });

  for (const table of ['copies', 'intents', 'cleanup'] as const) {
    test(`one with ${table} is not removed, and takes writes as before`, async () => {
      await using rig = await freshBackends(engine);
      await rig.service.add(memoryAt('disk'), 'ann');
      await rig.service.add(memoryAt('other'), 'ann');
      await addRow(rig.store, table, 'disk', 'k1');
      await assert.rejects(rig.service.remove('disk', 'ann'), (error: unknown) => {
        assert.ok(error instanceof HoldfastError && error.kind === 'conflict');
        assert.deepEqual(error.details, { reason: 'in_use', copies: 0, intents: 0, cleanup: 0, [table]: 1 });
        return true;
      });
      assert.equal(rig.registry.get('disk')!.state, 'active');
      await rig.service.remove('other', 'ann');
      await rig.store.write(runStatement, { sql: `delete from ${table}`, values: [] });
      await rig.service.remove('disk', 'ann');
      assert.deepEqual(rig.registry.all, []);
      await assert.rejects(rig.service.remove('disk', 'ann'), isKind('not_found'));
      assert.equal((await typesOf(rig.store, 'disk')).at(-1), 'object_backend.removed by ann');
    });
  }

  test('a removed one leaves no books, and one of the same name begins anew', async () => {
    await using rig = await freshBackends(engine);
    await rig.service.add(memoryAt('disk'), 'ann');
    await rig.service.test('disk');
    await rig.usage.flush();
    const stripe = `insert into backend_stripes (backend, stripe, used_bytes) values ('disk', ?, ?)`;
    await rig.store.write(runStatement, { sql: stripe, values: [1, 30] });
    await rig.store.write(runStatement, { sql: stripe, values: [2, -30] });
    await rig.service.remove('disk', 'ann');
    for (const table of ['backend_stripes', 'backend_usage', 'object_backends']) {
      const rows = await rig.store.read((reader) => reader.rows(`select * from ${table}`, []));
      assert.deepEqual(rows, [], table);
    }
    assert.equal((await rig.service.add(memoryAt('disk'), 'ann')).version, 1);
  });

  test('the books add up stripes, claims and what waits for deletion', async () => {
    await using rig = await freshBackends(engine);
    await rig.service.add(memoryAt('disk'), 'ann');
    await rig.service.add(memoryAt('other'), 'ann');
    const stripe = `insert into backend_stripes (backend, stripe, used_bytes) values ('disk', ?, ?)`;
    await rig.store.write(runStatement, { sql: stripe, values: [1, 5_000_000_000_000] });
    await rig.store.write(runStatement, { sql: stripe, values: [2, -1] });
    await addRow(rig.store, 'copies', 'disk', 'k1', 100);
    await addRow(rig.store, 'copies', 'other', 'k1', 100);
    await addRow(rig.store, 'intents', 'disk', 'k2', 200);
    await addRow(rig.store, 'cleanup', 'disk', 'k3', 300);
    await addRow(rig.store, 'cleanup', 'disk', 'k4', 400);
    assert.deepEqual(await rig.store.read((reader) => booksOf(reader, 'disk')), {
      usedBytes: 4_999_999_999_999n,
      orphanBytes: 700n,
      claimedBytes: 200n,
      copies: { count: 1, isExact: true },
    });
    const nothing = await rig.store.read((reader) => booksOf(reader, 'nothing'));
    assert.deepEqual(nothing, {
      usedBytes: 0n,
      orphanBytes: 0n,
      claimedBytes: 0n,
      copies: { count: 0, isExact: true },
    });
  });

  test('a test that is asked for runs whatever the breaker says, and tells where it failed', async () => {
    await using rig = await freshBackends(engine);
    await rig.service.add(memoryAt('disk'), 'ann');
    const { faults } = rig.places.at('disk');
    faults.push({ verb: 'head', effect: 'unreachable', times: 5 });
    const known = rig.registry.get('disk')!;
    for (let turn = 0; turn < 5; turn++) await assert.rejects(known.backend.head('a', anySignal()));
    assert.equal(known.breaker.state, 'open');
    const good = await rig.service.test('disk');
    assert.ok(good.isOk);
    assert.deepEqual(
      good.steps.map(({ step }) => step),
      ['health', 'write', 'read', 'list', 'delete'],
    );
    faults.push({ verb: 'list', effect: 'fail', times: 1 });
    const bad = await rig.service.test('disk');
    assert.deepEqual(
      bad.steps.map(({ step, error }) => [step, error === null]),
      [
        ['health', true],
        ['write', true],
        ['read', true],
        ['list', false],
        ['delete', true],
      ],
    );
    assert.equal(rig.places.at('disk').blobs.size, 0);
    await assert.rejects(rig.service.test('nothing'), isKind('not_found'));
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEveryStore } from '../../../../test/support/stores.ts';
import type { HoldfastError } from '../../../kernel/errors/errors.ts';
import { isKind } from '../conformance/suite.ts';
import { type BackendRig, freshBackends, memoryAt, runStatement, testSealer } from '../test-backends.ts';
import { type PurgePlan, requireConfirmed, unconfirmed } from './purge.ts';
import { findBackend } from './queries.ts';

const insert = `insert into copies (content_id, part, backend, storage_key, size_bytes, stored_bytes, crc32, created_at)
  values (?, 1, 'lost', ?, 1, 7, 0, 0)`;

async function confirmationOf(rig: BackendRig): Promise<string> {
  const refusal = await rig.service.purge('lost', null, 'ann').then(
    () => assert.fail('it asks first'),
    (error: HoldfastError) => error,
  );
  assert.equal(refusal.kind, 'conflict');
  assert.equal(refusal.details['reason'], 'unconfirmed');
  return refusal.details['confirm'] as string;
}

onEveryStore('the purge of a backend', (engine) => {
  test('failure 18: needs what its own refusal gave, for just what was told', async () => {
    await using rig = await freshBackends(engine);
    await rig.service.add(memoryAt('lost'), 'ann');
    await rig.service.add(memoryAt('other'), 'ann');
    const addCopy = (id: string) => rig.store.write(runStatement, { sql: insert, values: [id, `b/${id}`] });
    await addCopy('c1');
    const first = await confirmationOf(rig);
    await assert.rejects(rig.service.purge('other', first, 'ann'), isKind('invalid', { field: 'confirm' }));
    const changed = first.replace(/.$/, (letter) => (letter === 'A' ? 'B' : 'A'));
    await assert.rejects(rig.service.purge('lost', changed, 'ann'), isKind('invalid', { field: 'confirm' }));
    await addCopy('c2');
    await assert.rejects(rig.service.purge('lost', first, 'ann'), isKind('conflict', { reason: 'changed', copies: 2 }));
    const second = await confirmationOf(rig);
    await rig.service.setState('lost', 'draining', 'ann');
    await assert.rejects(rig.service.purge('lost', second, 'ann'), isKind('conflict', { reason: 'changed' }));
    await rig.service.purge('lost', await confirmationOf(rig), 'ann');
    assert.equal((await rig.store.read((reader) => findBackend(reader, 'lost')))?.state, 'purging');
    await rig.service.purge('lost', null, 'ann');
    await assert.rejects(rig.service.setState('lost', 'active', 'ann'), isKind('conflict', { state: 'purging' }));
    await assert.rejects(rig.service.purge('nobody', null, 'ann'), isKind('not_found', {}));
  });
});

test('a confirmation of a purge holds for a minute, also when the clock is set back', async () => {
  const plan: PurgePlan = { copies: 3, sizeBytes: 9, lostObjects: 1, lostBytes: 3, lostSample: ['b/k'] };
  const row = { name: 'lost', version: 4 } as Parameters<typeof unconfirmed>[1];
  const { details, message } = unconfirmed(testSealer, row, plan, 1_000_000);
  assert.match(message, /forgets 3 copies for good. 1 objects have no other copy/);
  const text = details['confirm'] as string;
  requireConfirmed(testSealer, row, plan, text, 1_060_000);
  for (const nowMs of [1_060_001, 999_999]) {
    const confirm = () => requireConfirmed(testSealer, row, plan, text, nowMs);
    assert.throws(confirm, isKind('conflict', { reason: 'expired' }));
  }
  const more = { ...plan, lostObjects: 2 };
  assert.throws(
    () => requireConfirmed(testSealer, row, more, text, 1_000_001),
    isKind('conflict', { reason: 'changed' }),
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setBackendState } from '../../src/objects/backends/management/drain.ts';
import { beginMigration } from '../../src/objects/storage-migration/begin.ts';
import { latestMigration } from '../../src/objects/storage-migration/queries.ts';
import { onEveryStore } from '../support/stores.ts';
import { assertClean, put, read } from './acts.ts';
import { type Lab, labBackends, openLab } from './lab.ts';

const { signal } = new AbortController();
const dayMs = 86_400_000;

/** An object with a copy on each backend, of which those on some rot at rest, as long as they were. */
async function withRot(lab: Lab, rotten: readonly number[]): Promise<void> {
  await lab.bucket('b', { copies: lab.backends.length });
  await put(lab, 'b', 'k', 'content');
  for (const index of rotten) {
    for (const { bytes } of lab.backends[index]!.backend.blobs.values()) bytes[0]! ^= 1;
  }
}

async function wants(lab: Lab, copies: number): Promise<void> {
  await lab.gateway.buckets.update('b', (settings) => ({ ...settings, copies }), 'tester');
}

/** The rot is found and healed, and then there are as many copies as are wanted. */
async function assertHealed(lab: Lab): Promise<void> {
  assert.equal(String(await read(lab, 'b', 'k')), 'content');
  lab.clock.advance(31 * dayMs);
  const { scrubber } = lab.keepers();
  await scrubber.run(signal);
  await assertClean(lab);
  assert.equal(String(await read(lab, 'b', 'k')), 'content');
}

onEveryStore('failure 24: the last good copy', (engine) => {
  test('is not let go as one too many beside copies that rot', async () => {
    for (const rotten of [
      [0, 1],
      [0, 2],
      [1, 2],
    ]) {
      const lab = await openLab(engine, labBackends(3));
      await withRot(lab, rotten);
      await wants(lab, 1);
      lab.clock.advance(dayMs);
      const { replicator, overReplication } = lab.keepers();
      for (const keeper of [replicator, overReplication, replicator, overReplication]) await keeper.run(signal);
      await assertHealed(lab);
      await lab.close();
    }
  });

  test('does not leave a backend that drains beside one that rots', async () => {
    const lab = await openLab(engine, labBackends(2));
    await withRot(lab, [1]);
    await wants(lab, 1);
    await lab.setState('m1', 'draining');
    for (let turn = 0; turn < 3; turn++) {
      await lab.keepers().replicator.run(signal);
      lab.clock.advance(dayMs);
    }
    await assertHealed(lab);
    assert.equal(lab.backends[0]!.backend.blobs.size, 0, 'the drain has ended');
    await lab.close();
  });

  test('is not left behind by a migration to where a copy stood before, and rots', async () => {
    const lab = await openLab(engine, labBackends(2));
    await withRot(lab, [1]);
    await wants(lab, 1);
    lab.clock.advance(1_000);
    const wish = { id: 'mig', source: 'm1', target: 'm2', parallel: 2, isReadBack: true, actor: 'tester' };
    await lab.store.write(beginMigration, { ...wish, nowMs: lab.clock.nowMs() });
    await lab.registry.refresh();
    const { migrator, replicator } = lab.keepers();
    for (const keeper of [migrator, replicator, migrator]) await keeper.run(signal);
    await assertHealed(lab);
    await migrator.run(signal);
    assert.equal((await lab.store.read(latestMigration))!.state, 'completed');
    assert.equal(lab.backends[0]!.backend.blobs.size, 0);
    await lab.close();
  });

  test('stays where it is when a source of a migration takes writes again after the switch, which ends it', async () => {
    const lab = await openLab(engine, labBackends(2));
    await lab.bucket('b', { copies: 2 });
    await put(lab, 'b', 'k', 'content');
    const wish = { id: 'mig', source: 'm1', target: 'm2', parallel: 2, isReadBack: true, actor: 'tester' };
    await lab.store.write(beginMigration, { ...wish, nowMs: lab.clock.nowMs() });
    await lab.registry.refresh();
    // There is no third backend, so that one of the two copies has nowhere to go.
    await lab.keepers().migrator.run(signal);
    assert.equal((await lab.store.read(latestMigration))!.state, 'cleaning');
    const doing = { actor: 'tester', nowMs: lab.clock.nowMs() };
    await lab.store.write(setBackendState, { name: 'm1', state: 'active', doing });
    await lab.registry.refresh();
    await lab.keepers().migrator.run(signal);
    assert.equal((await lab.store.read(latestMigration))!.state, 'completed');
    await assertClean(lab);
    assert.equal(lab.backends[0]!.backend.blobs.size, 1);
    await lab.close();
  });
});

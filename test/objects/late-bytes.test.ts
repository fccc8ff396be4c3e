import assert from 'node:assert/strict';
import { test } from 'node:test';
import { s3CodeOf } from '../../src/objects/errors.ts';
import { onEveryStore } from '../support/stores.ts';
import { until } from '../support/wait.ts';
import { assertClean, assertEmpty, count, put, remove } from './acts.ts';
import { type Lab, labBackends, openLab } from './lab.ts';

const { signal } = new AbortController();

/** Holds up the next put of a backend until it is let go. */
function holdPut(lab: Lab, index: number) {
  const { backend } = lab.backends[index]!;
  const { promise, resolve } = Promise.withResolvers<void>();
  const real = backend.put.bind(backend);
  let isHeld = false;
  backend.put = async (...call) => {
    backend.put = real;
    isHeld = true;
    await promise;
    await real(...call);
  };
  return { letGo: resolve, isHeld: () => isHeld };
}

/** Another process takes the first one for dead, deletes what it was writing and has looked for it a second time. */
async function takeForDead(lab: Lab): Promise<void> {
  const other = await lab.restart();
  const { intents, cleanup } = other.keepers({ secondLookMs: 0 });
  for (const keeper of [intents, cleanup, cleanup]) await keeper.run(signal);
  assert.equal(await count(lab.store, 'cleanup'), 0);
}

onEveryStore('bytes that come after their write was given up and deleted', (engine) => {
  test('are deleted too, and the write is refused', async () => {
    const lab = await openLab(engine, labBackends(1));
    await lab.bucket('b');
    const held = holdPut(lab, 0);
    const writing = put(lab, 'b', 'k', 'content').then(() => null, s3CodeOf);
    await until('the write is held up', held.isHeld);
    await takeForDead(lab);
    held.letGo();
    assert.equal(await writing, 'ServiceUnavailable');
    await assertEmpty(lab);
    await lab.close();
  });

  test('are deleted too, when they are those of a late copy', async () => {
    const lab = await openLab(engine, labBackends(2));
    await lab.bucket('b', { copies: 2, durability: 'one' });
    const held = holdPut(lab, 1);
    await put(lab, 'b', 'k', 'content');
    await takeForDead(lab);
    held.letGo();
    await assertClean(lab);
    await remove(lab, 'b', 'k');
    await assertEmpty(lab);
    await lab.close();
  });

  test('are deleted too, when they are those of the replicator', async () => {
    const lab = await openLab(engine, labBackends(2));
    await lab.bucket('b', { copies: 2, durability: 'one' });
    lab.backends[1]!.backend.faults.push({ verb: 'put', times: 1, effect: 'fail' });
    await put(lab, 'b', 'k', 'content');
    await lab.gateway.writer.settle();
    const held = holdPut(lab, 1);
    const replicating = lab.keepers().replicator.run(signal);
    await until('the copy is held up', held.isHeld);
    await takeForDead(lab);
    held.letGo();
    await replicating;
    await assertClean(lab);
    await remove(lab, 'b', 'k');
    await assertEmpty(lab);
    await lab.close();
  });
});

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { onEveryStore } from '../support/stores.ts';
import { until } from '../support/wait.ts';
import { assertClean, beginUpload, complete, put, putPart, read } from './acts.ts';
import type { WriteFate } from './intercepted-store.ts';
import { type Lab, labBackends, openLab } from './lab.ts';

const { signal } = new AbortController();

async function copiesOn(lab: Lab, backend: string): Promise<number> {
  const statement = 'select count(*) as n from copies where backend = ?';
  const [row] = await lab.store.read((reader) => reader.rows<{ n: number | string }>(statement, [backend]));
  return Number(row!.n);
}

async function intentsOn(lab: Lab, backend: string): Promise<number> {
  const statement = 'select count(*) as n from intents where backend = ?';
  const [row] = await lab.store.read((reader) => reader.rows<{ n: number | string }>(statement, [backend]));
  return Number(row!.n);
}

onEveryStore('draining a backend', (engine) => {
  test('failure 18: raced with puts of two gateways, nothing is admitted after it and all copies move', async () => {
    const lab = await openLab(engine, labBackends(3));
    // Another process, whose own picture of the backends is old.
    const other = await lab.another();
    await lab.bucket('b', { copies: 2, durability: 'one' });
    const contents = new Map<string, Buffer>();
    let isDrained = false;
    const writer = async (one: Lab, name: string) => {
      for (let index = 0; index < 20; index++) {
        const [key, bytes] = [`${name}-${index}`, randomBytes(500 + index)];
        const wasDrained = isDrained;
        const version = await put(one, 'b', key, bytes);
        contents.set(key, bytes);
        if (!wasDrained) continue;
        const statement = `select count(*) as n from copies where content_id = ? and backend = 'm1'`;
        const [row] = await lab.store.read((reader) => reader.rows<{ n: number }>(statement, [version.contentId]));
        assert.equal(Number(row!.n), 0, 'a write that began later stands elsewhere');
      }
    };
    const writing = Promise.all([writer(lab, 'a'), writer(other, 'b'), writer(other, 'c')]);
    await Promise.race([writing, until('some are written', () => contents.size >= 15)]);
    await lab.setState('m1', 'draining');
    isDrained = true;
    await writing;
    await other.gateway.writer.settle();
    await assertClean(lab);
    assert.equal(await copiesOn(lab, 'm1'), 0);
    assert.equal(lab.backends[0]!.backend.blobs.size, 0);
    for (const [key, bytes] of contents) assert.deepEqual(await read(lab, 'b', key), bytes);
    await other.close();
    await lab.close();
  });

  test('failure 18: goes on after a restart in the middle, and reads go on all the while', async () => {
    const lab = await openLab(engine, labBackends(3));
    await lab.bucket('b', { copies: 2 });
    for (let index = 0; index < 12; index++) await put(lab, 'b', `k${index}`, `content ${index}`);
    await lab.setState('m1', 'draining');
    // It dies while it moves: what it claimed is nobody's until its lease ends.
    let moves = 0;
    lab.store.fate = (name) =>
      name === 'dropCopy' && ++moves > 4 ? 'refuse' : name === 'settleShortfall' && moves > 4 ? 'refuse' : 'pass';
    await lab
      .keepers()
      .replicator.run(signal)
      .catch(() => {});
    assert.ok((await copiesOn(lab, 'm1')) > 0, 'it is in the middle');
    const next = await lab.restart();
    for (let index = 0; index < 12; index++)
      assert.equal(String(await read(next, 'b', `k${index}`)), `content ${index}`);
    await assertClean(next);
    assert.equal(await copiesOn(next, 'm1'), 0);
    assert.equal(next.backends[0]!.backend.blobs.size, 0);
    await lab.close();
  });

  test('failure 18: waits for room elsewhere, lets nothing go before it, and ends by itself', async () => {
    const lab = await openLab(engine, labBackends(2));
    await lab.bucket('b', { copies: 2 });
    await put(lab, 'b', 'k', 'content');
    await lab.setState('m1', 'draining');
    await lab.settle(3);
    assert.deepEqual([await copiesOn(lab, 'm1'), await copiesOn(lab, 'm2')], [1, 1]);
    assert.deepEqual((await lab.check()).findings, []);
    await lab.setState('m1', 'active');
    await assertClean(lab);
    assert.deepEqual([await copiesOn(lab, 'm1'), await copiesOn(lab, 'm2')], [1, 1]);
    await lab.close();
  });

  test('failure 18: a write that was admitted before it ends well, and its copy moves as well', async () => {
    const lab = await openLab(engine, labBackends(2));
    await lab.bucket('b');
    let isDraining: Promise<void> | null = null;
    lab.store.fate = async (name): Promise<WriteFate> => {
      if (name === 'commitObject') await (isDraining ??= lab.setState('m1', 'draining'));
      return 'pass';
    };
    await put(lab, 'b', 'k', 'content');
    assert.equal(await copiesOn(lab, 'm1'), 1);
    await assertClean(lab);
    assert.deepEqual([await copiesOn(lab, 'm1'), await copiesOn(lab, 'm2'), await intentsOn(lab, 'm1')], [0, 1, 0]);
    assert.equal(String(await read(lab, 'b', 'k')), 'content');
    await lab.close();
  });

  test('failure 18: parts of open uploads move too, and become the same object', async () => {
    const lab = await openLab(engine, labBackends(2));
    await lab.bucket('b');
    const upload = await beginUpload(lab, 'b', 'k');
    const bytes = randomBytes(5 * 1024 ** 2);
    const first = await putPart(lab, upload, 1, bytes);
    await lab.setState('m1', 'draining');
    await assertClean(lab);
    assert.equal(lab.backends[0]!.backend.blobs.size, 0);
    const last = await putPart(lab, upload, 2, Buffer.from('end'));
    await complete(lab, upload, [first, last]);
    assert.deepEqual(await read(lab, 'b', 'k'), Buffer.concat([bytes, Buffer.from('end')]));
    await assertClean(lab);
    await lab.close();
  });
});

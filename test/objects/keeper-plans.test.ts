import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createIdSource } from '../../src/kernel/ids.ts';
import { claimRoom } from '../../src/objects/ledger/claim.ts';
import { startRewrite } from '../../src/objects/ledger/rewrites.ts';
import { beginMigration } from '../../src/objects/storage-migration/begin.ts';
import { onEveryStore, type StoreEngine } from '../support/stores.ts';
import { assertClean, beginUpload, complete, put, putPart, remove } from './acts.ts';
import { type Lab, labBackends, openLab } from './lab.ts';
import { type Row, copyId, planAndRun, rowsOnlyIn, shortCopy, stepsOf } from './plan-checks.ts';
import { testRootKeys } from './test-keys.ts';

const { signal } = new AbortController();
const dayMs = 86_400_000;
const pack = { placement: 'pack' } as const;

async function open(engine: StoreEngine, backends: number, copies = 1): Promise<Lab> {
  const lab = await openLab(engine, labBackends(backends));
  await lab.bucket('b', { ...pack, copies });
  return lab;
}

const keyOn = (row: Row) => `${row['storage_key']} on ${row['backend']}`;

onEveryStore('a plan', (engine) => {
  test('is made by every keeper of objects', async () => {
    const lab = await openLab(engine, labBackends(1), testRootKeys('root'));
    await lab.bucket('b');
    await put(lab, 'b', 'k', 'content');
    for (const [name, keeper] of Object.entries(lab.keepers())) {
      assert.ok(keeper.plan !== undefined, name);
      await planAndRun(lab, keeper);
    }
    await lab.close();
  });

  test('of the cleanup has the deletions that are due, and counts the others', async () => {
    const lab = await open(engine, 3, 2);
    for (const key of ['a', 'b', 'c']) await put(lab, 'b', key, key);
    for (const key of ['a', 'b']) await remove(lab, 'b', key);
    lab.backends[0]!.backend.faults.push({ verb: 'delete', times: 1, effect: 'fail' });
    const { cleanup } = lab.keepers();
    await cleanup.run(signal);
    assert.deepEqual((await cleanup.plan!(signal)).summary, '0 deletions are due. 1 others wait for their turn.');
    await remove(lab, 'b', 'c');
    const { plan, calls } = await planAndRun(lab, cleanup);
    assert.deepEqual(stepsOf(plan), calls.toSorted());
    assert.deepEqual([plan.count, plan.isExact], [2, true]);
    assert.deepEqual(
      plan.costs.map(({ place, requests }) => `${place} ${requests}`),
      ['m1 1', 'm2 1'],
    );
    lab.clock.advance(dayMs);
    const last = await planAndRun(lab, cleanup);
    assert.deepEqual(stepsOf(last.plan), last.calls);
    assert.equal(last.plan.count, 1);
    await assertClean(lab);
    await lab.close();
  });

  test('of the intents has the writes of gateways that died, and no other', async () => {
    const lab = await open(engine, 2);
    const newId = createIdSource();
    const claim = (owner: string, writeId: string) => {
      const room = { storedBytes: 10, sizeBytes: 10, candidates: ['m1', 'm2'], count: 2, nowMs: lab.clock.nowMs() };
      return lab.store.write(claimRoom, { writeId, storageKey: `b/${writeId}`, owner, ...room });
    };
    await claim('rep-dead', newId('w'));
    await claim(lab.replicaId, newId('w'));
    const { plan, before, after } = await planAndRun(lab, lab.keepers().intents);
    const given = rowsOnlyIn(before, after, 'intents', keyOn).map(
      (row) => `give up ${keyOn(row)}, which rep-dead wrote`,
    );
    assert.deepEqual(stepsOf(plan), given.sort());
    assert.deepEqual([plan.count, plan.sizeBytes, plan.costs], [2, 20, []]);
    assert.equal(after.tables['intents']!.length, 2);
    await lab.close();
  });

  test('of the uploads has those that nobody goes on with, and those that were completed long ago', async () => {
    const lab = await open(engine, 2, 2);
    const idle = await beginUpload(lab, 'b', 'idle');
    await putPart(lab, idle, 1, Buffer.from('a part'));
    const done = await beginUpload(lab, 'b', 'done');
    await complete(lab, done, [await putPart(lab, done, 1, Buffer.from('another part'))]);
    lab.clock.advance(8 * dayMs);
    const { plan, before, after } = await planAndRun(lab, lab.keepers().uploads);
    const gone = rowsOnlyIn(before, after, 'uploads', (row) => String(row['upload_id']));
    assert.deepEqual(stepsOf(plan), [
      `forget the completed upload ${done.uploadId}`,
      `give up the upload ${idle.uploadId} of b/idle`,
    ]);
    assert.deepEqual([gone.length, plan.sizeBytes], [2, 'a part'.length]);
    assert.deepEqual(
      plan.costs.map(({ requests }) => requests),
      [1, 1],
    );
    assert.equal(after.tables['cleanup']!.length - before.tables['cleanup']!.length, 2);
    await lab.close();
  });

  test('of the scrubber has what is due, as far as a run comes, by backend', async () => {
    const lab = await open(engine, 3, 2);
    for (let index = 0; index < 8; index++) await put(lab, 'b', `k${index}`, Buffer.alloc(100, index));
    assert.equal((await lab.keepers().scrubber.plan!(signal)).count, 0, 'nothing is due yet');
    lab.clock.advance(31 * dayMs);
    // At a byte a second a run of ten minutes reads a few of them.
    const slow = await lab.keepers({ scrubRate: { bytesPerSecond: 1, requestsPerSecond: 1e9 } }).scrubber.plan!(signal);
    const { sizeBytes } = slow.steps[0]!;
    assert.equal(slow.count, 2 * (Math.floor(600 / sizeBytes) + 1));
    assert.match(
      slow.summary,
      new RegExp(`^16 copies wait for their turn, ${16 * sizeBytes} bytes. ${slow.count} of them`),
    );
    const { plan, calls } = await planAndRun(lab, lab.keepers().scrubber);
    assert.deepEqual(stepsOf(plan), calls.map((call) => call.replace('get', 'read')).sort());
    assert.deepEqual(
      plan.costs.map(({ place, requests, egressBytes }) => [place, requests, egressBytes]),
      [
        ['m1', 8, 8 * sizeBytes],
        ['m2', 8, 8 * sizeBytes],
      ],
    );
    await lab.close();
  });

  for (const unknown of ['import', 'delete-after', 'report', 'ignore'] as const) {
    test(`of the reconciler has what is missing and what is unknown under ${unknown}`, async () => {
      const lab = await open(engine, 3, 2);
      await lab.bucket('one', pack);
      for (const key of ['missing', 'short', 'whole']) await put(lab, 'b', key, key);
      await put(lab, 'one', 'k', 'k');
      const { blobs } = lab.backends[0]!.backend;
      const [missing, short, whole, only] = [...blobs.keys()] as [string, string, string, string];
      const plant = (key: string, bytes: Buffer) => blobs.set(key, { bytes, modifiedAtMs: Date.now() });
      plant(`${whole.slice(0, -1)}${whole.endsWith('0') ? '1' : '0'}`, blobs.get(whole)!.bytes);
      for (const key of ['b/foreign', 'no-such-bucket/x', 'b/whole', 'x']) plant(key, Buffer.from(`bytes of ${key}`));
      plant('b/restored', blobs.get(whole)!.bytes);
      blobs.delete(missing);
      plant(short, Buffer.from('s'));
      blobs.delete(only);
      lab.clock.advance(2 * dayMs);
      const done = await planAndRun(lab, lab.keepers({ unknown }).reconciler);
      const { plan, before, after } = done;
      const known = rowsOnlyIn(before, after, 'copies', keyOn).map((row) => `replace ${keyOn(row)}`);
      const kept = rowsOnlyIn(after, before, 'copies', (row) => `${keyOn(row)} ${row['damaged_at']}`);
      const imported = kept.filter((row) => row['damaged_at'] === null).map((row) => `import ${keyOn(row)}`);
      const told = kept
        .filter((row) => row['damaged_at'] !== null)
        .map((row) => `keep ${keyOn(row)}, of which there is no other copy`);
      const gone = new Set(rowsOnlyIn(before, after, 'copies', keyOn).map(keyOn));
      const queued = rowsOnlyIn(after, before, 'cleanup', keyOn)
        .map(keyOn)
        .filter((one) => !gone.has(one));
      const expected = [...known, ...imported, ...told, ...queued.map((one) => `delete ${one}`)];
      const steps = stepsOf(plan);
      assert.deepEqual(
        steps.filter((one) => !one.startsWith('report')),
        expected.sort(),
      );
      assert.deepEqual(
        [known.length, told.length, imported.length, queued.length],
        [2, 1, unknown === 'import' ? 1 : 0, unknown === 'import' || unknown === 'delete-after' ? 1 : 0],
      );
      const unknownBlobs = unknown === 'ignore' ? 0 : 6 - imported.length - queued.length;
      assert.equal(steps.filter((one) => one.startsWith('report')).length, unknownBlobs);
      assert.ok(plan.isExact);
      await lab.close();
    });
  }

  test('of the reconciler tells where a listing is out of order, and what is done before it', async () => {
    const lab = await open(engine, 2);
    const { backend } = lab.backends[0]!;
    for (const key of ['b/2', 'b/10']) backend.blobs.set(key, { bytes: Buffer.from(key), modifiedAtMs: 0 });
    lab.clock.advance(2 * dayMs);
    const { reconciler } = lab.keepers({ unknown: 'import' });
    const list = backend.list.bind(backend);
    backend.list = async (page, limits) => {
      const { blobs, isTruncated } = await list(page, limits);
      return { blobs: blobs.toReversed(), isTruncated };
    };
    const plan = await reconciler.plan!(signal);
    assert.deepEqual([stepsOf(plan), plan.warnings?.length], [['import b/2 on m1'], 1], 'as far as a run comes');
    assert.match(plan.warnings![0]!, /^m1: The backend m1 lists "b\/10" after "b\/2"/);
    await assert.rejects(reconciler.run(signal), /lists "b\/10" after "b\/2"/);
    backend.list = list;
    assert.deepEqual(stepsOf(await reconciler.plan!(signal)), ['import b/10 on m1']);
    await lab.close();
  });

  test('of the drains has what a purge forgets and loses, and drains that are complete', async () => {
    const lab = await open(engine, 3, 2);
    await lab.bucket('one', pack);
    for (const key of ['a', 'b']) await put(lab, 'b', key, key);
    await put(lab, 'one', 'lost', 'lost');
    await put(lab, 'b', 'deleted', 'deleted');
    await remove(lab, 'b', 'deleted');
    await lab.setState('m1', 'purging');
    await lab.setState('m3', 'draining');
    const done = await planAndRun(lab, lab.keepers().drains);
    const gone = rowsOnlyIn(done.before, done.after, 'copies', copyId).map(copyId);
    const steps = done.plan.steps.map(({ action, subject }) => `${action} ${subject}`);
    const copies = done.plan.steps.filter(({ subject }) => subject.startsWith('part '));
    assert.deepEqual(copies.map(({ subject }) => shortCopy(subject)).sort(), gone.sort());
    assert.deepEqual(copies.map(({ action }) => action).sort(), ['forget', 'forget', 'lose']);
    assert.deepEqual(steps.slice(3), ['forget 1 deletions on m1', 'remove the backend m1', 'complete the drain of m3']);
    assert.match(done.told, /3 copies on m1 forgotten, 1 objects lost, and it is removed; m3 is empty$/);
    await lab.close();
  });

  test('of the migrator has the copies that move', async () => {
    const lab = await open(engine, 2);
    for (let index = 0; index < 5; index++) await put(lab, 'b', `k${index}`, Buffer.alloc(100 * index));
    const identity = { id: 'mig-1', source: 'm1', target: 'm2', parallel: 4, isReadBack: true };
    await lab.store.write(beginMigration, { ...identity, actor: 'tester', nowMs: lab.clock.nowMs() });
    await lab.registry.refresh();
    const { plan, before, after } = await planAndRun(lab, lab.keepers().migrator);
    const made = rowsOnlyIn(after, before, 'copies', copyId).map((row) => `copy ${copyId(row)}`);
    assert.deepEqual(stepsOf(plan, shortCopy), made.sort());
    const [m1, m2] = plan.costs;
    assert.deepEqual([m1!.requests, m1!.egressBytes], [10, plan.sizeBytes]);
    assert.deepEqual([m2!.requests, m2!.ingressBytes, m2!.egressBytes], [10, plan.sizeBytes, plan.sizeBytes]);
    await lab.settle();
    await lab.close();
  });

  test('of the rewriter has the contents that are written anew', async () => {
    const lab = await openLab(engine, labBackends(2), testRootKeys('root'));
    await lab.bucket('b', { ...pack, copies: 2 });
    for (const key of ['a', 'b']) await put(lab, 'b', key, key);
    assert.equal((await planAndRun(lab, lab.keepers().rewriter)).plan.summary, 'Nothing was asked for.');
    const wish = { id: 'rw-plan', action: 'encrypt', bucket: null, actor: 'tester', created_at: lab.clock.nowMs() };
    await lab.store.write(startRewrite, wish);
    const { plan, before, after } = await planAndRun(lab, lab.keepers().rewriter);
    const contentOf = (row: Row) => String(row['content_id']);
    const changed = rowsOnlyIn(after, before, 'objects', contentOf).map(
      (row) => `encrypt ${row['bucket']}/${row['object_key']}`,
    );
    assert.deepEqual(stepsOf(plan), changed.sort());
    assert.equal(changed.length, 2);
    assert.deepEqual(
      plan.costs.map(({ ingressBytes }) => ingressBytes > 0),
      [true, true],
    );
    await lab.close();
  });

  test('of the backup of the ledger has the blobs that it writes, carries and removes', async () => {
    const lab = await openLab(engine, labBackends(2), testRootKeys('root'));
    await lab.bucket('b', { ...pack, copies: 2 });
    await put(lab, 'b', 'k', 'content');
    const { backup } = lab.keepers();
    const isLedger = (blob: string) => blob.startsWith('.holdfast/ledger/');
    const bytesOn = (index: number) => {
      const all = [...lab.backends[index]!.backend.blobs].filter(([key]) => isLedger(key));
      return all.reduce((sum, [, { bytes }]) => sum + bytes.length, 0);
    };
    const whole = await planAndRun(lab, backup);
    assert.deepEqual(stepsOf(whole.plan), ['write blob 1 of a new backup on m1', 'write blob 1 of a new backup on m2']);
    // Times are told in it, and how well these are compressed is another thing each time.
    for (const [index, { ingressBytes }] of whole.plan.costs.entries()) {
      assert.ok(Math.abs(ingressBytes - bytesOn(index)) < 64, `${ingressBytes} ${bytesOn(index)}`);
    }
    await put(lab, 'b', 'other', 'content');
    lab.backends[1]!.backend.blobs.clear();
    const changes = await planAndRun(lab, backup);
    assert.deepEqual(
      stepsOf(changes.plan).map((step) => step.replace(/[.]holdfast\S+/, 'KEY')),
      ['carry KEY from m1 to m2', 'write blob 2 of the backup on m1', 'write blob 2 of the backup on m2'],
    );
    assert.equal(bytesOn(0), bytesOn(1));
    lab.clock.advance(8 * dayMs);
    const anew = await planAndRun(lab, backup);
    const deleted = anew.calls.filter((call) => call.startsWith('delete ') && stepsOf(anew.plan).includes(call));
    assert.deepEqual([deleted.length, anew.plan.count], [4, 6]);
    await lab.close();
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as others } from 'node:timers/promises';
import { enterStorageClasses } from '../../src/objects/ledger/storage-classes.ts';
import { startRewrite } from '../../src/objects/ledger/rewrites.ts';
import { setTestQuota, type Lab, type LabBackend, labBackends, openLab } from './lab.ts';
import type { WriteFate } from './intercepted-store.ts';
import { onEveryStore } from '../support/stores.ts';
import { assertClean, assertEmpty, beginUpload, complete, copy, count, put, putPart, read, remove } from './acts.ts';
import { testRootKeys } from './test-keys.ts';

const { signal } = new AbortController();
const dayMs = 86_400_000;

const classes = [
  { name: 'COOL', labels: { tier: 'cool' } },
  { name: 'COLD', labels: { tier: 'cold' } },
];

/** `hot1`, `hot2`, `cool1`, `cold1`, `cold2`. */
function tiers(): LabBackend[] {
  const names = ['hot1', 'hot2', 'cool1', 'cold1', 'cold2'];
  return labBackends(names.length).map((one, index) => ({
    ...one,
    name: names[index]!,
    labels: { tier: names[index]!.slice(0, -1) },
  }));
}

const hot = { requiredLabels: { tier: 'hot' } };

function setRules(lab: Lab, inner: string, filter = ''): Promise<unknown> {
  const rule = `<Rule><ID>r</ID><Filter>${filter}</Filter><Status>Enabled</Status>${inner}</Rule>`;
  const lifecycle = `<LifecycleConfiguration>${rule}</LifecycleConfiguration>`;
  return lab.gateway.buckets.update('b', (settings) => ({ ...settings, lifecycle }), 'tester');
}

const after = (days: number, to: string) =>
  `<Transition><Days>${days}</Days><StorageClass>${to}</StorageClass></Transition>`;

async function places(lab: Lab, key = 'k', bucket = 'b'): Promise<string[]> {
  const statement = `select distinct c.backend from copies c join objects o on o.content_id = c.content_id
    where o.bucket = ? and o.object_key = ? order by c.backend`;
  const rows = await lab.store.read((reader) => reader.rows<{ backend: string }>(statement, [bucket, key]));
  return rows.map(({ backend }) => backend);
}

async function classOf(lab: Lab, key = 'k', versionId?: string): Promise<string | undefined> {
  return (await lab.gateway.objects.stat({ bucket: 'b', key, versionId })).storageClass;
}

async function lastError(lab: Lab): Promise<string> {
  const rows = await lab.store.read((reader) =>
    reader.rows<{ last_error: string }>('select last_error from shortfalls', []),
  );
  return rows.map((row) => row.last_error).join();
}

onEveryStore('storage classes', (engine) => {
  test('a transition moves bytes from hot to cold backends while they are read, and a copy brings them back', async () => {
    const lab = await openLab(engine, tiers(), null, classes);
    await lab.bucket('b', { ...hot, copies: 2 });
    await setRules(lab, after(2, 'COOL') + after(5, 'COLD'), '<Prefix>k</Prefix>');
    const content = 'x'.repeat(1_000);
    await put(lab, 'b', 'k', content);
    await put(lab, 'b', 'other', content);
    assert.deepEqual(await places(lab), ['hot1', 'hot2']);
    const { lifecycle, replicator } = lab.keepers();
    assert.match(await lifecycle.run(signal), /^0 objects expired, 0 versions removed, 0 uploads given up$/);
    lab.clock.advance(7 * dayMs);
    const plan = await lifecycle.plan!(signal);
    assert.deepEqual([plan.count, plan.isExact, plan.steps[0]!.action, plan.sizeBytes], [1, true, 'transition', 1_000]);
    const bytesIn = plan.costs.filter(({ ingressBytes }) => ingressBytes > 0).map(({ place }) => place);
    assert.deepEqual(bytesIn, ['cold1', 'cold2'], 'straight to the coldest');
    assert.equal(plan.costs.find(({ place }) => place === 'hot1')!.egressBytes > 2_000, true);
    assert.match(await lifecycle.run(signal), /1 put into another storage class/);
    assert.equal(await classOf(lab), 'COLD');
    assert.deepEqual(await places(lab), ['hot1', 'hot2'], 'bytes stay until there are others');
    let isMoved = false;
    const reading = (async () => {
      let reads = 0;
      while (!isMoved || reads === 0) {
        assert.equal(String(await read(lab, 'b', 'k')), content);
        reads++;
        // Reads from memory leave no turn to others by themselves.
        await others();
      }
      return reads;
    })();
    await replicator.run(signal);
    await lab.settle();
    isMoved = true;
    assert.ok((await reading) > 0);
    assert.deepEqual(await places(lab), ['cold1', 'cold2']);
    assert.deepEqual(await places(lab, 'other'), ['hot1', 'hot2']);
    assert.equal(String(await read(lab, 'b', 'k')), content);
    assert.equal((await lifecycle.plan!(signal)).count, 0, 'what has come to the coldest is not looked at again');
    await assertClean(lab);
    await copy(lab, ['b', 'k'], ['b', 'k'], { storageClass: 'COOL' });
    // Two are wanted, and only one backend is cool: one stays where it stood until there is another.
    await lab.settle(2);
    assert.equal(await lastError(lab), 'No other backend carries the labels that the bucket requires.');
    assert.ok((await places(lab)).includes('cool1') && (await places(lab)).length >= 2);
    await copy(lab, ['b', 'k'], ['b', 'k']);
    await lab.settle();
    assert.deepEqual([await classOf(lab), await places(lab)], ['STANDARD', ['hot1', 'hot2']]);
    await assertClean(lab);
    for (const key of ['k', 'other']) await remove(lab, 'b', key);
    await assertEmpty(lab);
    await lab.close();
  });

  test('a full tier loses nothing, says why, keeps the number of copies, and is filled once it has room', async () => {
    const lab = await openLab(engine, tiers(), null, classes);
    await lab.bucket('b', { ...hot, copies: 2 });
    await setRules(lab, after(1, 'COLD'));
    await put(lab, 'b', 'k', 'x'.repeat(5_000));
    for (const name of ['cold1', 'cold2']) await lab.store.write(setTestQuota, { name, quotaBytes: 100 });
    lab.clock.advance(2 * dayMs);
    await lab.keepers().lifecycle.run(signal);
    await lab.settle(2);
    assert.deepEqual(await places(lab), ['hot1', 'hot2']);
    assert.equal(await lastError(lab), 'No other backend that would fit has room.');
    // One of the hot ones goes as well: what is cold is not less safe for having nowhere to go.
    await lab.setState('hot1', 'draining');
    await lab.store.write(setTestQuota, { name: 'cold1', quotaBytes: 100_000 });
    await lab.settle(2);
    assert.deepEqual(await places(lab), ['cold1', 'hot1', 'hot2']);
    await lab.store.write(setTestQuota, { name: 'cold2', quotaBytes: 100_000 });
    await lab.settle();
    assert.deepEqual(await places(lab), ['cold1', 'cold2']);
    assert.equal((await read(lab, 'b', 'k')).length, 5_000);
    await assertClean(lab);
    await lab.close();
  });

  test('a copy that is lost while its tier is full is made again where the bucket lets it stand', async () => {
    const lab = await openLab(engine, tiers(), null, classes);
    await lab.bucket('b', { copies: 2 });
    await put(lab, 'b', 'k', 'x'.repeat(5_000), { storageClass: 'COLD' });
    assert.deepEqual(await places(lab), ['cold1', 'cold2'], 'a write for a class goes there at once');
    for (const name of ['hot2', 'cold1']) await lab.setState(name, 'draining');
    await lab.settle(2);
    assert.deepEqual(await places(lab), ['cold1', 'cold2', 'hot1']);
    assert.equal(await lastError(lab), 'No other backend carries the labels that the bucket requires.');
    await lab.setState('cold1', 'active');
    await lab.settle();
    assert.deepEqual(await places(lab), ['cold1', 'cold2']);
    await assertClean(lab);
    await lab.close();
  });

  test('bytes that versions share stand where the warmest of them wants them', async () => {
    const lab = await openLab(engine, tiers(), null, classes);
    await lab.bucket('b', { ...hot, versioning: 'enabled' });
    const transition = '<NoncurrentDays>1</NoncurrentDays><StorageClass>COLD</StorageClass>';
    await setRules(lab, `<NoncurrentVersionTransition>${transition}</NoncurrentVersionTransition>`);
    const first = await put(lab, 'b', 'k', 'shared');
    const second = await copy(lab, ['b', 'k'], ['b', 'k'], { storageClass: 'COOL' });
    assert.equal(second.contentId, first.contentId);
    await lab.settle();
    assert.deepEqual(await places(lab), ['hot1']);
    lab.clock.advance(3 * dayMs);
    await lab.keepers().lifecycle.run(signal);
    assert.deepEqual([await classOf(lab, 'k', first.versionId), await classOf(lab)], ['COLD', 'COOL']);
    await lab.settle();
    assert.deepEqual(await places(lab), ['cool1'], 'the old one is cold, and the new one is not');
    await remove(lab, 'b', 'k', second.versionId);
    await lab.settle();
    assert.deepEqual([await classOf(lab), await places(lab)], ['COLD', ['cold1']]);
    await copy(lab, ['b', 'k'], ['b', 'elsewhere']);
    await lab.settle();
    assert.deepEqual([await places(lab), await places(lab, 'elsewhere')], [['cold1'], ['hot1']]);
    await assertClean(lab);
    await lab.close();
  });

  test('uploads in parts, rewriting and the rebalancer keep a class', async () => {
    const lab = await openLab(engine, tiers(), testRootKeys('one'), classes);
    await lab.bucket('b', hot);
    const upload = await beginUpload(lab, 'b', 'k', { storageClass: 'COLD' });
    const part = await putPart(lab, upload, 1, Buffer.alloc(1_000, 7));
    await complete(lab, upload, [part]);
    await put(lab, 'b', 'whole', 'cold', { storageClass: 'COLD' });
    assert.deepEqual(
      [await classOf(lab), await places(lab), await places(lab, 'whole')],
      ['COLD', ['cold1'], ['cold1']],
    );
    const before = (await lab.gateway.objects.stat({ bucket: 'b', key: 'k' })).contentId!;
    const wish = { id: 'rw1', action: 'encrypt', bucket: 'b', actor: 'tester', created_at: lab.clock.nowMs() } as const;
    await lab.store.write(startRewrite, wish);
    await lab.keepers().rewriter.run(signal);
    const { contentId, attributes } = await lab.gateway.objects.stat({ bucket: 'b', key: 'k' });
    assert.notEqual(contentId, before);
    assert.equal(attributes.encryption?.kind, 'aes256');
    assert.deepEqual(
      [await classOf(lab), await places(lab), await places(lab, 'whole')],
      ['COLD', ['cold1'], ['cold1']],
    );
    await lab.keepers().rebalancer.run(signal);
    await lab.settle();
    assert.deepEqual([await places(lab), await places(lab, 'whole')], [['cold1'], ['cold1']]);
    assert.equal(String(await read(lab, 'b', 'whole')), 'cold');
    await assertClean(lab);
    await lab.close();
  });

  test('only what was judged moves; the move is told; a class in use cannot be forgotten', async () => {
    const lab = await openLab(engine, tiers(), null, classes);
    await lab.bucket('b');
    await setRules(lab, after(1, 'COLD'), '<Tag><Key>keep</Key><Value>no</Value></Tag>');
    const due = { tags: { keep: 'no' } };
    for (const key of ['due', 'overwritten', 'tagged']) await put(lab, 'b', key, key, due);
    lab.clock.advance(2 * dayMs);
    let changing: Promise<unknown> | null = null;
    lab.store.fate = async (name): Promise<WriteFate> => {
      if (name === 'transitionVersion') {
        await (changing ??= Promise.all([
          put(lab, 'b', 'overwritten', 'new', due),
          lab.gateway.objects.setTags({ bucket: 'b', key: 'tagged' }, {}, 'tester'),
        ]));
      }
      return 'pass';
    };
    assert.match(await lab.keepers().lifecycle.run(signal), /1 put into another storage class, 2 kept/);
    const found = await Promise.all(['due', 'overwritten', 'tagged'].map((key) => classOf(lab, key)));
    assert.deepEqual(found, ['COLD', 'STANDARD', 'STANDARD']);
    const rows = await lab.store.read((reader) =>
      reader.rows<{ data: string }>(`select data from events where type = 'object.transitioned'`, []),
    );
    const told = rows.map(({ data }) => JSON.parse(data) as Record<string, unknown>);
    assert.deepEqual(
      told.map(({ key, cause, rule, storage_class: to }) => [key, cause, rule, to]),
      [['due', 'lifecycle', 'r', 'COLD']],
    );
    await assert.rejects(
      () => put(lab, 'b', 'k', 'x', { storageClass: 'GONE' }),
      /storage classes STANDARD, COOL, COLD/,
    );
    await assert.rejects(
      () => lab.store.write(enterStorageClasses, { classes: classes.slice(0, 1) }),
      /not configured/,
    );
    await lab.store.write(enterStorageClasses, { classes: classes.slice(1) });
    assert.equal(await count(lab.store, 'storage_classes'), 1);
    await assertClean(lab);
    await lab.close();
  });
});

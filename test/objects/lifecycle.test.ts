import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Store } from '../../src/kernel/store/store.ts';
import { lifecycleKeeper } from '../../src/objects/keepers/lifecycle.ts';
import { createIdSource } from '../../src/kernel/ids.ts';
import { onEveryStore } from '../support/stores.ts';
import { assertClean, assertEmpty, beginUpload, complete, count, put, putPart, read, remove } from './acts.ts';
import type { WriteFate } from './intercepted-store.ts';
import { type Lab, labBackends, openLab } from './lab.ts';

const { signal } = new AbortController();
const dayMs = 86_400_000;

const rule = (id: string, inner: string, filter = '') =>
  `<Rule><ID>${id}</ID><Filter>${filter}</Filter><Status>Enabled</Status>${inner}</Rule>`;
const days = (number: number) => `<Expiration><Days>${number}</Days></Expiration>`;
const noncurrent = (number: number, kept?: number) =>
  `<NoncurrentVersionExpiration><NoncurrentDays>${number}</NoncurrentDays>${
    kept === undefined ? '' : `<NewerNoncurrentVersions>${kept}</NewerNoncurrentVersions>`
  }</NoncurrentVersionExpiration>`;
const tagged = '<Tag><Key>keep</Key><Value>no</Value></Tag>';

function setRules(lab: Lab, bucket: string, ...rules: readonly string[]) {
  const lifecycle = `<LifecycleConfiguration>${rules.join('')}</LifecycleConfiguration>`;
  return lab.gateway.buckets.update(bucket, (settings) => ({ ...settings, lifecycle }), 'tester');
}

/** Versions of a bucket as `key`, `key*` for a current one and `-` for markers. */
async function standing(lab: Lab, bucket = 'b'): Promise<string[]> {
  const request = { bucket, prefix: '', delimiter: null, after: null, limit: 1000 };
  const { versions } = await lab.gateway.objects.listVersions(request);
  return versions.map(({ key, isLatest, isMarker }) => `${isMarker ? '-' : ''}${key}${isLatest ? '*' : ''}`);
}

async function eventsOf(store: Store, actor: string): Promise<{ type: string; data: Record<string, unknown> }[]> {
  const rows = await store.read((reader) =>
    reader.rows<{ type: string; data: string }>('select type, data from events where actor = ? order by id', [actor]),
  );
  return rows.map(({ type, data }) => ({ type, data: JSON.parse(data) as Record<string, unknown> }));
}

/** A store whose reads are counted, in one process with another. */
function counted(store: Store): { readonly store: Store; reads: number } {
  const counter = { reads: 0, store };
  const reading: Store['read'] = (query) =>
    store.read((reader) => {
      const rows: typeof reader.rows = (statement, parameters) => {
        counter.reads++;
        return reader.rows(statement, parameters);
      };
      return query({ ...reader, rows, db: reader.db, fragments: reader.fragments });
    });
  counter.store = { ...store, read: reading, write: store.write.bind(store) } as Store;
  return counter;
}

/** A store that holds the first `removals` removals back until all of them are asked for, and carries out the last one first. */
function newestFirst(store: Store, removals: number): Store {
  const turns: PromiseWithResolvers<void>[] = [];
  const write: Store['write'] = async (target, params) => {
    if (target.name !== 'expireVersion') return store.write(target, params);
    const next = turns.at(-1);
    const own = Promise.withResolvers<void>();
    turns.push(own);
    if (turns.length === removals) own.resolve();
    await own.promise;
    try {
      return await store.write(target, params);
    } finally {
      next?.resolve();
    }
  };
  return { ...store, write, read: store.read.bind(store) };
}

function keeperOn({ clock }: Lab, store: Store) {
  const onError = (error: unknown) => assert.ifError(error);
  return lifecycleKeeper({ store, newId: createIdSource(), clock, forget: () => {}, onError }, 1);
}

onEveryStore('lifecycle rules', (engine) => {
  test('expire what is due by age, prefix, tag and size, and nothing else; its bytes follow', async () => {
    const lab = await openLab(engine, labBackends(1));
    await lab.bucket('b');
    await setRules(
      lab,
      'b',
      rule('logs', days(3), '<Prefix>logs/</Prefix>'),
      rule('tagged', days(1), tagged),
      rule('large', days(2), '<ObjectSizeGreaterThan>10</ObjectSizeGreaterThan>'),
    );
    await put(lab, 'b', 'logs/a', 'x');
    await put(lab, 'b', 'tagged', 'x', { tags: { keep: 'no' } });
    await put(lab, 'b', 'other', 'x', { tags: { keep: 'yes' } });
    await put(lab, 'b', 'large', 'x'.repeat(11));
    await put(lab, 'b', 'small', 'x'.repeat(10));
    const { lifecycle } = lab.keepers();
    assert.match(await lifecycle.run(signal), /^0 objects expired/);
    for (const left of [
      ['large*', 'logs/a*', 'other*', 'small*'],
      ['logs/a*', 'other*', 'small*'],
      ['other*', 'small*'],
    ]) {
      lab.clock.advance(left.length === 4 ? 2 * dayMs : dayMs);
      const plan = await lifecycle.plan!(signal);
      assert.deepEqual([plan.count, plan.isExact, plan.costs[0]?.requests], [1, true, 1]);
      assert.match(await lifecycle.run(signal), /^1 objects expired/);
      assert.deepEqual(await standing(lab), left);
    }
    const told = await eventsOf(lab.store, 'lifecycle');
    assert.deepEqual(
      told.map(({ type, data }) => [type, data['key'], data['cause'], data['rule']]),
      [
        ['object.deleted', 'tagged', 'lifecycle', 'tagged'],
        ['object.deleted', 'large', 'lifecycle', 'large'],
        ['object.deleted', 'logs/a', 'lifecycle', 'logs'],
      ],
    );
    await assertClean(lab);
    assert.equal(lab.backends[0]!.backend.blobs.size, 2);
    await lab.close();
  });

  test('hide current versions behind markers, remove old ones and then the markers, and leave locked ones', async () => {
    const lab = await openLab(engine, labBackends(1));
    await lab.bucket('b', { versioning: 'enabled', isLockEnabled: true });
    await setRules(lab, 'b', rule('current', days(10)), rule('old', noncurrent(1, 1)));
    for (const content of ['1', '2', '3']) await put(lab, 'b', 'k', content);
    const lock = { retention: null, isLegalHold: true };
    await put(lab, 'b', 'locked', '1', { lock });
    await put(lab, 'b', 'locked', '2');
    await put(lab, 'b', 'locked', '3');
    const { lifecycle } = lab.keepers();
    lab.clock.advance(2 * dayMs);
    assert.match(await lifecycle.run(signal), /^0 objects expired, 1 versions removed/);
    assert.deepEqual(await standing(lab), ['k*', 'k', 'locked*', 'locked', 'locked']);
    assert.equal(String(await read(lab, 'b', 'k')), '3');
    lab.clock.advance(9 * dayMs);
    assert.match(await lifecycle.run(signal), /^2 objects expired, 2 versions removed/);
    assert.deepEqual(await standing(lab), ['-k*', 'k', '-locked*', 'locked', 'locked']);
    await setRules(lab, 'b', rule('old', days(1) + noncurrent(1)));
    lab.clock.advance(2 * dayMs);
    // What is under a marker goes first; then the marker hides nothing.
    assert.match(await lifecycle.run(signal), /^0 objects expired, 3 versions removed/);
    assert.deepEqual(await standing(lab), ['-locked*', 'locked']);
    await assertClean(lab);
    await lab.close();
  });

  test('remove the version that was judged and no other', async () => {
    const lab = await openLab(engine, labBackends(1));
    await lab.bucket('b');
    await setRules(lab, 'b', rule('tagged', days(1), tagged));
    const due = { tags: { keep: 'no' } };
    for (const key of ['due', 'overwritten', 'tagged anew']) await put(lab, 'b', key, key, due);
    lab.clock.advance(2 * dayMs);
    const { lifecycle } = lab.keepers();
    /** Runs the keeper, and changes things between its judgement and its removals. */
    const runAmid = async (change: () => Promise<void>): Promise<string> => {
      let changing: Promise<void> | null = null;
      lab.store.fate = async (name): Promise<WriteFate> => {
        if (name === 'expireVersion') await (changing ??= change());
        return 'pass';
      };
      return lifecycle.run(signal);
    };
    const result = await runAmid(async () => {
      await put(lab, 'b', 'overwritten', 'new', due);
      await lab.gateway.objects.setTags({ bucket: 'b', key: 'tagged anew' }, { keep: 'yes' }, 'tester');
    });
    assert.match(result, /^1 objects expired, .* 2 kept since/);
    assert.deepEqual(await standing(lab), ['overwritten*', 'tagged anew*']);
    assert.equal(String(await read(lab, 'b', 'overwritten')), 'new');
    lab.clock.advance(3 * dayMs);
    const spared = await runAmid(async () => void (await setRules(lab, 'b', rule('other', days(900)))));
    assert.match(spared, /^0 objects expired, .* 1 kept since/);
    assert.deepEqual(await standing(lab), ['overwritten*', 'tagged anew*']);
    await assertClean(lab);
    await lab.close();
  });

  test('remove all old versions of a key in one pass, in whatever order, but for those that are to be kept', async () => {
    for (const [kept, left] of [
      [undefined, ['k*']],
      [2, ['k*', 'k', 'k']],
    ] as const) {
      const lab = await openLab(engine, labBackends(1));
      await lab.bucket('b', { versioning: 'enabled' });
      await setRules(lab, 'b', rule('old', noncurrent(1, kept)));
      for (const content of ['1', '2', '3', '4', '5', '6']) await put(lab, 'b', 'k', content);
      lab.clock.advance(2 * dayMs);
      const going = 5 - (kept ?? 0);
      assert.match(
        await keeperOn(lab, newestFirst(lab.store, going)).run(signal),
        new RegExp(`^0 objects expired, ${going} versions removed`),
      );
      assert.deepEqual(await standing(lab), left);
      await assertClean(lab);
      await lab.close();
    }
  });

  test('give up uploads by rule, and those that nobody goes on with by age', async () => {
    const lab = await openLab(engine, labBackends(1));
    await lab.bucket('ruled');
    await lab.bucket('plain');
    const abort =
      '<AbortIncompleteMultipartUpload><DaysAfterInitiation>2</DaysAfterInitiation></AbortIncompleteMultipartUpload>';
    await setRules(lab, 'ruled', rule('abort', abort, '<Prefix>tmp/</Prefix>'));
    for (const [bucket, key] of [
      ['ruled', 'tmp/a'],
      ['ruled', 'other'],
      ['plain', 'tmp/a'],
    ] as const) {
      await putPart(lab, await beginUpload(lab, bucket, key), 1, Buffer.from('part'));
    }
    const completed = await beginUpload(lab, 'ruled', 'tmp/done');
    await complete(lab, completed, [await putPart(lab, completed, 1, Buffer.from('part'))]);
    lab.clock.advance(4 * dayMs);
    const { lifecycle, uploads } = lab.keepers();
    assert.match(await lifecycle.run(signal), /1 uploads given up$/);
    const busy = await beginUpload(lab, 'plain', 'busy');
    lab.clock.advance(4 * dayMs);
    await putPart(lab, busy, 1, Buffer.from('part'));
    lab.clock.advance(4 * dayMs);
    assert.match(await uploads.run(signal), /^2 open uploads given up/);
    assert.equal(await count(lab.store, `uploads where state = 'open'`), 1);
    await complete(lab, busy, [await putPart(lab, busy, 2, Buffer.from('more'))]);
    await assertClean(lab);
    for (const [bucket, key] of [
      ['ruled', 'tmp/done'],
      ['plain', 'busy'],
    ] as const)
      await remove(lab, bucket, key);
    await assertEmpty(lab);
    await lab.close();
  });

  test('cost a few queries where nothing is due, however many objects there are', async () => {
    const lab = await openLab(engine, labBackends(1));
    await lab.bucket('b', { versioning: 'enabled' });
    await setRules(lab, 'b', rule('all', days(30) + noncurrent(30)));
    const costOf = async (): Promise<number> => {
      const counter = counted(lab.store);
      assert.match(await keeperOn(lab, counter.store).run(signal), /^0 objects expired, 0 versions/);
      return counter.reads;
    };
    await put(lab, 'b', 'k', 'x');
    const before = await costOf();
    for (let index = 0; index < 200; index++) await put(lab, 'b', `k${index % 20}`, 'x');
    assert.equal(await costOf(), before);
    assert.ok(before < 10, `${before} queries`);
    await lab.close();
  });

  test('go on where they stopped', async () => {
    const lab = await openLab(engine, labBackends(1));
    for (const bucket of ['a', 'b']) {
      await lab.bucket(bucket);
      await setRules(lab, bucket, rule('all', days(1)));
      for (const key of ['1', '2']) await put(lab, bucket, key, 'x');
    }
    lab.clock.advance(3 * dayMs);
    const stopping = new AbortController();
    lab.store.fate = (name) => {
      if (name === 'expireVersion') stopping.abort();
      return 'pass';
    };
    await lab.keepers().lifecycle.run(stopping.signal);
    lab.store.fate = () => 'pass';
    const restarted = await lab.restart();
    await restarted.keepers().lifecycle.run(signal);
    await restarted.keepers().lifecycle.run(signal);
    assert.equal(await count(lab.store, 'objects'), 0);
    await assertEmpty(restarted);
    await lab.close();
  });
});

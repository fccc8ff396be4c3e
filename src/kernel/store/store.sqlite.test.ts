import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import type { StoreEngine } from '../../../test/support/stores.ts';
import { temporaryDirectory } from '../../../test/support/temp.ts';
import {
  anotherProcess,
  conformanceMigrations,
  ended,
  oneSentence,
  openConformanceStore,
  rejection,
} from './conformance-support.ts';
import { addOne, limitGrowth, putContent, putRow, valueOf } from './conformance-transactions.ts';
import { openStore } from './open.ts';
import type { Store } from './store.ts';

const run = promisify(execFile);

describe('the embedded store', () => {
  test('a second owner of the same directory is refused with one sentence, until the first has closed', async () => {
    await using directory = await temporaryDirectory();
    const engine = engineAt(directory.path);
    const { store, settings } = await openConformanceStore(engine);
    const here = await rejection(openStore(settings, { owner: true }), 'conflict');
    assert.match(here.message, oneSentence);
    const other = anotherProcess('own', settings);
    assert.deepEqual(await other.answer, { kind: 'conflict', message: here.message });
    await ended(other.child);
    await store.write(putRow, { id: 'still mine', value: 1 });
    await store.close();
    await (await openStore(settings, { owner: true })).close();
  });

  test('the successor of an owner that was killed owns the store at once', async () => {
    await using directory = await temporaryDirectory();
    const settings = await engineAt(directory.path).fresh();
    const owner = anotherProcess('own', settings);
    assert.deepEqual(await owner.answer, { done: 'own' });
    await rejection(openStore(settings, { owner: true }), 'conflict');
    owner.child.kill('SIGKILL');
    await ended(owner.child);
    await (await openStore(settings, { owner: true })).close();
  });

  test('another process that does not own it may write, and the owner sees it', async () => {
    await using directory = await temporaryDirectory();
    await using opened = await openConformanceStore(engineAt(directory.path));
    const { store, settings } = opened;
    await store.write(putRow, { id: 'mine', value: 0 });
    const other = anotherProcess('write', settings);
    // Both write at the same time; the file's lock makes one wait for the other.
    for (let count = 0; count < 100; count++) await store.write(addOne, { id: 'mine' });
    assert.deepEqual(await other.answer, { done: 'write' });
    await ended(other.child);
    assert.equal(await store.read((reader) => valueOf(reader, 'from-another-process')), 7);
    assert.equal(await store.read((reader) => valueOf(reader, 'mine')), 100);
  });

  test('a database that may not grow refuses writes with one sentence and recovers when it may', async () => {
    await using directory = await temporaryDirectory();
    await using opened = await openConformanceStore(engineAt(directory.path));
    await fillAndRecover(
      opened.store,
      () => opened.store.write(limitGrowth, { pages: 20 }),
      () => opened.store.write(limitGrowth, { pages: null }),
    );
  });

  test('a full disk refuses writes with one sentence, keeps what was acknowledged, and recovers', async (t) => {
    await using directory = await temporaryDirectory();
    const disk = join(directory.path, 'disk');
    await mkdir(disk);
    const isMounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]).then(
      () => true,
      () => false,
    );
    if (!isMounted) return t.skip('left out: mounting a small disk needs root');
    try {
      await using opened = await openConformanceStore(engineAt(disk));
      await fillAndRecover(
        opened.store,
        async () => {},
        async () => void (await run('mount', ['-o', 'remount,size=64m', disk])),
      );
    } finally {
      await run('umount', ['-l', disk]);
    }
  });

  test('a directory that cannot be used, or a file that is no database, is refused with one sentence', async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'file');
    await writeFile(file, 'not a directory');
    const notDirectory = await engineAt(join(file, 'data')).fresh();
    assert.match((await rejection(openStore(notDirectory, { owner: true }), 'unavailable')).message, oneSentence);
    await writeFile(join(directory.path, 'holdfast.db'), 'not a database at all, '.repeat(100));
    const notDatabase = await engineAt(directory.path).fresh();
    assert.match((await rejection(openStore(notDatabase, { owner: true }), 'unavailable')).message, oneSentence);
  });
});

function engineAt(dataDirectory: string): StoreEngine {
  const settings = { databaseUrl: undefined, dataDirectory, timeoutMs: 5_000, migrations: conformanceMigrations };
  return { name: 'sqlite', server: null, fresh: async () => settings };
}

/** Writes until there is no room: every acknowledged row stays, small writes beside a refused one are judged alone. */
async function fillAndRecover(store: Store, fill: () => Promise<void>, recover: () => Promise<void>): Promise<void> {
  await store.write(putRow, { id: 'before', value: 1 });
  await fill();
  const acknowledged: string[] = [];
  let refusal: unknown = null;
  for (let count = 0; refusal === null && count < 1_000; count++) {
    const id = `content-${count}`;
    await store.write(putContent, { id, bytes: 30_000 }).then(
      () => acknowledged.push(id),
      (error: unknown) => (refusal = error),
    );
  }
  const error = await rejection(Promise.reject(refusal), 'unavailable');
  assert.match(error.message, /the disk that holds the database is full/);
  assert.match(error.message, oneSentence);
  const beside = await Promise.allSettled([
    store.write(putContent, { id: 'large', bytes: 400_000 }),
    store.write(putRow, { id: 'small', value: 1 }),
  ]);
  assert.equal(beside[0].status, 'rejected');
  const small = await store.read((reader) => valueOf(reader, 'small'));
  assert.equal(small, beside[1].status === 'fulfilled' ? 1 : null);
  for (const id of acknowledged) assert.equal(await store.read((reader) => valueOf(reader, id)), 1);
  await recover();
  await store.write(putContent, { id: 'large', bytes: 400_000 });
  assert.equal(await store.read((reader) => valueOf(reader, 'large')), 1);
}

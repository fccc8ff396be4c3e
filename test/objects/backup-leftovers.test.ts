import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PutOptions } from '../../src/objects/backends/backend.ts';
import { MemoryObjectBackend } from '../../src/objects/backends/memory/memory.ts';
import type { Content } from '../../src/objects/content/content.ts';
import { backupPrefix } from '../../src/objects/rebuilding/backup-place.ts';
import { loadBackupMemory, saveBackupMemory } from '../../src/objects/rebuilding/backup-memory.ts';
import { onEveryStore } from '../support/stores.ts';
import { until } from '../support/wait.ts';
import { put } from './acts.ts';
import { openLab } from './lab.ts';

const signal = new AbortController().signal;

/** A put that is cut off leaves what no listing shows, until its key is deleted; so does one on a WebDAV server. */
class LeavingBackend extends MemoryObjectBackend {
  readonly uploads = new Set<string>();

  override async put(key: string, content: Content, options: PutOptions): Promise<void> {
    this.uploads.add(key);
    await super.put(key, content, options);
    this.uploads.delete(key);
  }

  override async delete(key: string, within: AbortSignal): Promise<'deleted' | 'absent'> {
    const outcome = await super.delete(key, within);
    this.uploads.delete(key);
    return outcome;
  }

  get generations(): Set<string | undefined> {
    const keys = [...this.blobs.keys()].filter((key) => key.startsWith(backupPrefix));
    return new Set(keys.map((key) => key.slice(backupPrefix.length).split('/')[0]));
  }
}

onEveryStore('what is left of a backup that was cut off', (engine) => {
  const open = async () => {
    const backends = [new LeavingBackend(), new LeavingBackend()] as const;
    const lab = await openLab(
      engine,
      backends.map((backend, index) => ({ name: `m${index + 1}`, backend })),
    );
    await lab.bucket('b');
    const backup = () => lab.keepers().backup.run(signal);
    const uploads = () => backends.map((backend) => [...backend.uploads].filter((key) => key.startsWith(backupPrefix)));
    return { lab, backends, backup, uploads };
  };
  const cutOff = { verb: 'put', key: (key: string) => key.startsWith(backupPrefix), effect: 'unreachable' } as const;

  test('goes with the next one, whether anything stood of it or not', async () => {
    const { lab, backends, backup, uploads } = await open();
    for (const backend of backends) backend.faults.push({ ...cutOff, times: 1 });
    await assert.rejects(backup, { kind: 'unavailable' });
    assert.deepEqual(
      uploads().map(({ length }) => length),
      [1, 1],
    );
    await backup();
    assert.deepEqual(uploads(), [[], []]);

    await put(lab, 'b', 'k', 'one');
    for (const backend of backends) backend.faults.push({ ...cutOff, times: 1 });
    await assert.rejects(backup, { kind: 'unavailable' });
    assert.match(await backup(), /all there is/);
    assert.deepEqual(uploads(), [[], []]);
    assert.deepEqual((await loadBackupMemory(lab.store)).owed, []);
    await lab.close();
  });

  test('goes from a backend that was away as soon as it is back', async () => {
    const { lab, backends, backup, uploads } = await open();
    await backup();
    const [, away] = backends;
    away.faults.push({ ...cutOff, times: Infinity });
    for (const key of ['one', 'two', 'three']) {
      await put(lab, 'b', key, key);
      await backup();
    }
    assert.ok(uploads()[1]!.length > 0);
    for (const verb of ['list', 'delete'] as const) away.faults.push({ verb, times: Infinity, effect: 'unreachable' });
    lab.clock.advance(8 * 86_400_000);
    assert.match(await backup(), /all there is/);
    assert.equal(away.generations.size, 1);
    assert.equal((await loadBackupMemory(lab.store)).owed.length, 1);
    lab.clock.advance(8 * 86_400_000);
    assert.match(await backup(), /all there is/);
    assert.equal((await loadBackupMemory(lab.store)).owed.length, 2);

    away.faults.splice(0);
    await backup();
    assert.deepEqual(uploads(), [[], []]);
    assert.deepEqual([...away.generations], [...backends[0].generations]);
    assert.equal(away.generations.size, 1);
    assert.deepEqual((await loadBackupMemory(lab.store)).owed, []);
    await lab.close();
  });

  test('is known even when a process that slept wakes up in the middle of its own backup', async () => {
    const { lab, backends, backup } = await open();
    await backup();
    const other = await lab.another();
    await put(lab, 'b', 'k', 'one');
    const { promise: awake, resolve: wake } = Promise.withResolvers<void>();
    const realPut = backends[0].put.bind(backends[0]);
    let hasSlept = false;
    backends[0].put = async (...args) => {
      if (!hasSlept) {
        hasSlept = true;
        await awake;
      }
      return realPut(...args);
    };
    const sleeping = backup();
    await until('one process writes', () => hasSlept);
    // It takes what is begun and not ended for left behind, and tells all anew.
    assert.match(await other.keepers().backup.run(signal), /all there is/);
    const known = await loadBackupMemory(lab.store);
    wake();
    await assert.rejects(sleeping, { kind: 'conflict' });
    assert.deepEqual(await loadBackupMemory(lab.store), known);
    await assert.rejects(saveBackupMemory(lab.store, { ...known, revision: 1 }), { kind: 'conflict' });
    assert.deepEqual(await saveBackupMemory(lab.store, { ...known, revision: known.revision - 1 }), known, 'again');
    // What it wrote late stands in a backup that is not the latest, and is no other ledger's.
    await put(lab, 'b', 'k', 'two');
    await backup();
    lab.clock.advance(8 * 86_400_000);
    await backup();
    for (const { generations } of backends) assert.equal(generations.size, 1);
    await other.close();
    await lab.close();
  });

  test('is not waited for on a backend that was removed', async () => {
    const { lab, backends, backup } = await open();
    await backup();
    for (const verb of ['list', 'put'] as const) {
      backends[1].faults.push({ verb, times: Infinity, effect: 'unreachable' });
    }
    lab.clock.advance(8 * 86_400_000);
    await backup();
    assert.deepEqual(
      (await loadBackupMemory(lab.store)).owed.map(({ backends: names }) => names),
      [['m2']],
    );
    (lab.registry.all as unknown[]).pop();
    await backup();
    assert.deepEqual((await loadBackupMemory(lab.store)).owed, []);
    await lab.close();
  });
});

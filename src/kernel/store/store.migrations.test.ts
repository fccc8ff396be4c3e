import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEveryStore } from '../../../test/support/stores.ts';
import { anotherProcess, conformanceMigrations, ended, oneSentence, rejection } from './conformance-support.ts';
import { brokenMigration, putRow, valueOf } from './conformance-transactions.ts';
import { openMigrator, openStore, type StoreSettings } from './open.ts';

onEveryStore('migrations', (engine) => {
  test('go up, tell their status, go down one by one and up again', async () => {
    const settings = await engine.fresh(conformanceMigrations);
    const names = conformanceMigrations.map((migration) => migration.name);
    const migrator = await openMigrator(settings);
    try {
      assert.deepEqual(await pending(settings), names);
      assert.deepEqual(await migrator.up(), names);
      assert.deepEqual(await migrator.up(), []);
      assert.deepEqual(await pending(settings), []);
      assert.deepEqual(await migrator.down(1), [names[1]]);
      assert.deepEqual(await pending(settings), [names[1]]);
      assert.deepEqual(await migrator.down(1), [names[0]]);
      assert.deepEqual(await migrator.down(1), []);
      assert.deepEqual(await migrator.up(), names);
    } finally {
      await migrator.close();
    }
    const store = await openStore(settings, { owner: true });
    await store.write(putRow, { id: 'a', value: 1 });
    assert.equal(await store.read((reader) => valueOf(reader, 'a')), 1);
    await store.close();
  });

  test('one that fails half-way leaves nothing, says so in one sentence, and can be repeated', async () => {
    const settings = await engine.fresh([...conformanceMigrations, brokenMigration]);
    for (let attempt = 0; attempt < 2; attempt++) {
      const error = await rejection(openStore(settings, { owner: true }), 'unavailable');
      assert.match(error.message, /9002_broken/);
      // A half-made table would be "already there" the second time.
      assert.match(error.message, /the second half failed/);
      assert.match(error.message, oneSentence);
    }
    const store = await openStore({ ...settings, migrations: conformanceMigrations }, { owner: true });
    await store.close();
  });

  test('two processes that migrate at once both succeed, and each migration runs once', async () => {
    const settings = await engine.fresh(conformanceMigrations);
    const processes = Array.from({ length: 2 }, () => anotherProcess('migrate', settings));
    const answers = await Promise.all(processes.map(({ answer }) => answer));
    for (const { child } of processes) await ended(child);
    const applied = answers.flatMap((answer) => (answer['applied'] ?? [answer]) as unknown[]);
    assert.deepEqual(
      applied.sort(),
      conformanceMigrations.map((migration) => migration.name),
    );
  });
});

async function pending(settings: StoreSettings): Promise<string[]> {
  const migrator = await openMigrator(settings);
  try {
    const statuses = await migrator.status();
    return statuses.filter((status) => status.appliedAt === null).map((status) => status.name);
  } finally {
    await migrator.close();
  }
}

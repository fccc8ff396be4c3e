import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openMigrator, openStore } from '../../src/kernel/store/open.ts';
import { migrations } from '../../src/migrations.ts';
import { onEveryStore } from '../support/stores.ts';
import { put } from './acts.ts';
import { labBackends, openLab } from './lab.ts';

const name = '0013_upkeep';

onEveryStore('the migration for lifecycle rules and scrubbing', (engine) => {
  test('goes back and forth, and says of older versions since when they are', async () => {
    const settings = await engine.fresh(migrations);
    const lab = await openLab({ ...engine, fresh: async () => settings }, labBackends(1));
    await lab.bucket('b', { versioning: 'enabled' });
    for (const content of ['1', '2', '3']) {
      await put(lab, 'b', 'k', content);
      lab.clock.advance(1_000);
    }
    const statement = 'select modified_at, noncurrent_at from objects order by seq';
    const read = () =>
      lab.store.read((reader) => reader.rows<{ modified_at: number; noncurrent_at: number | null }>(statement, []));
    const before = await read();
    assert.deepEqual(
      before.map(({ noncurrent_at: at }) => at),
      [before[1]!.modified_at, before[2]!.modified_at, null],
    );
    await lab.close();
    const later = migrations.slice(migrations.findIndex((migration) => migration.name === name)).length;
    const migrator = await openMigrator(settings);
    assert.equal((await migrator.down(later)).at(-1), name);
    assert.equal((await migrator.up()).at(0), name);
    await migrator.close();
    const store = await openStore(settings, { owner: true });
    assert.deepEqual(await store.read((reader) => reader.rows(statement, [])), before);
    await store.close();
  });
});

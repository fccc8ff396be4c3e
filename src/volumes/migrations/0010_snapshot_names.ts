import { CompiledQuery } from 'kysely';
import type { Migration } from '../../kernel/store/migrations/migration.ts';

/** Snapshots are looked up by name among those of all volumes: by the CSI driver, and when a name must be new among all. */
export const snapshotNamesMigration: Migration = {
  name: '0010_snapshot_names',
  async up(db) {
    await db.executeQuery(CompiledQuery.raw('create index snapshots_name on snapshots (name, id)'));
  },
  async down(db) {
    await db.executeQuery(CompiledQuery.raw('drop index snapshots_name'));
  },
};

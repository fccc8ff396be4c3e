import { CompiledQuery } from 'kysely';
import type { Migration } from '../../kernel/store/migrations/migration.ts';

/** Moves of everything from one backend to another, and what of them did not succeed yet. */
export const storageMigrationsMigration: Migration = {
  name: '0014_storage_migrations',
  async up(db, { key, integer }) {
    for (const statement of [
      `create table storage_migrations (
        id ${key} primary key, source ${key} not null, target ${key} not null, state ${key} not null,
        is_open ${integer} not null, parallel ${integer} not null, is_read_back ${integer} not null, actor ${key} not null,
        total_copies ${integer} not null, total_bytes ${integer} not null, moved_copies ${integer} not null,
        moved_bytes ${integer} not null, last_error text, created_at ${integer} not null, switched_at ${integer},
        finished_at ${integer})`,
      // There is one at a time, and it is the store that says so.
      `create unique index storage_migrations_open on storage_migrations (is_open) where is_open = 1`,
      `create index storage_migrations_age on storage_migrations (created_at)`,
      `create table storage_migration_failures (
        content_id ${key} not null, part ${integer} not null, attempts ${integer} not null, error text not null,
        due_at ${integer} not null, failed_at ${integer} not null, primary key (content_id, part))`,
    ]) {
      await db.executeQuery(CompiledQuery.raw(statement));
    }
  },
  async down(db) {
    for (const table of ['storage_migration_failures', 'storage_migrations']) {
      await db.executeQuery(CompiledQuery.raw(`drop table ${table}`));
    }
  },
};

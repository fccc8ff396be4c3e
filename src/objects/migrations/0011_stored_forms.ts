import { CompiledQuery } from 'kysely';
import type { Migration } from '../../kernel/store/migrations/migration.ts';

/** How copies are laid down, and the keys that wrap the data keys of those that are encrypted. */
export const storedFormsMigration: Migration = {
  name: '0011_stored_forms',
  async up(db, { key, integer }) {
    const statements = [
      'alter table copies add column form text',
      `create table encryption_keys (
        id ${key} primary key, purpose ${key} not null, root_key_id ${key} not null, wrapped text not null,
        state ${key} not null, created_at ${integer} not null)`,
      // New data keys are wrapped by one key a purpose.
      `create unique index encryption_keys_current on encryption_keys (purpose) where state = 'current'`,
      // Passes over what stands, each with the content that it has come to.
      `create table rewrites (
        id ${key} primary key, action ${key} not null, bucket ${key}, state ${key} not null, reached ${key} not null,
        seen ${integer} not null, rewritten ${integer} not null, rewritten_bytes ${integer} not null,
        failed ${integer} not null, last_error text, actor ${key} not null, created_at ${integer} not null,
        finished_at ${integer})`,
      `create unique index rewrites_running on rewrites (state) where state = 'running'`,
      // Contents that were compressed once and did not become smaller.
      `create table incompressible (content_id ${key} primary key)`,
    ];
    for (const statement of statements) await db.executeQuery(CompiledQuery.raw(statement));
  },
  async down(db) {
    for (const table of ['incompressible', 'rewrites', 'encryption_keys']) {
      await db.executeQuery(CompiledQuery.raw(`drop table ${table}`));
    }
    await db.executeQuery(CompiledQuery.raw('alter table copies drop column form'));
  },
};

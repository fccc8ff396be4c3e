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
    ];
    for (const statement of statements) await db.executeQuery(CompiledQuery.raw(statement));
  },
  async down(db) {
    await db.executeQuery(CompiledQuery.raw('drop table encryption_keys'));
    await db.executeQuery(CompiledQuery.raw('alter table copies drop column form'));
  },
};

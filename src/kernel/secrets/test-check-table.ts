import { CompiledQuery } from 'kysely';
import type { Migration } from '../store/migrations/migration.ts';

/** The one table that sealing needs, for tests of the kernel alone. */
export const createTestCheckTable: Migration = {
  name: '0002_secret_check',
  async up(db, { key }) {
    const statement = `create table secret_check (key_id ${key} primary key, sealed text not null)`;
    await db.executeQuery(CompiledQuery.raw(statement));
  },
  async down(db) {
    await db.executeQuery(CompiledQuery.raw('drop table secret_check'));
  },
};

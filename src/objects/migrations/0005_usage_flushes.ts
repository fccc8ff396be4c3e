import { CompiledQuery } from 'kysely';
import type { Migration } from '../../kernel/store/migrations/migration.ts';

/** The last flush of usage that each process made, so that one whose answer was lost is not added twice. */
export const usageFlushesMigration: Migration = {
  name: '0005_usage_flushes',
  async up(db, { key, integer }) {
    const statement = `create table usage_flushes (
      flusher ${key} primary key, seq ${integer} not null, flushed_at ${integer} not null)`;
    await db.executeQuery(CompiledQuery.raw(statement));
  },
  async down(db) {
    await db.executeQuery(CompiledQuery.raw('drop table usage_flushes'));
  },
};

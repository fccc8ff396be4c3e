import { CompiledQuery } from 'kysely';
import type { Migration } from '../../kernel/store/migrations/migration.ts';

/** How far the books of a quota are counted anew, and what was found up to there. */
export const countingMigration: Migration = {
  name: '0019_counting',
  async up(db, { key, integer }) {
    for (const column of [
      // The last key that was counted; nothing is counted while there is no bucket.
      `counting_bucket ${key}`,
      `counting_key ${key}`,
      `counting_bytes ${integer} default 0 not null`,
      `counting_objects ${integer} default 0 not null`,
      `counting_final ${integer} default 0 not null`,
    ]) {
      await db.executeQuery(CompiledQuery.raw(`alter table quota_books add column ${column}`));
    }
  },
  async down(db) {
    for (const name of ['bucket', 'key', 'bytes', 'objects', 'final']) {
      await db.executeQuery(CompiledQuery.raw(`alter table quota_books drop column counting_${name}`));
    }
  },
};

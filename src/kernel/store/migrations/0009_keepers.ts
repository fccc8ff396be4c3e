import { CompiledQuery } from 'kysely';
import type { Migration } from './migration.ts';

/** How far a keeper is, where one that goes round goes on, and whether somebody has it rest. */
export const keepersMigration: Migration = {
  name: '0009_keepers',
  async up(db, { key, integer }) {
    for (const column of ['progress text', 'mark text', `paused_at ${integer}`, `paused_by ${key}`]) {
      await db.executeQuery(CompiledQuery.raw(`alter table keepers add column ${column}`));
    }
  },
  async down(db) {
    for (const column of ['progress', 'mark', 'paused_at', 'paused_by']) {
      await db.executeQuery(CompiledQuery.raw(`alter table keepers drop column ${column}`));
    }
  },
};

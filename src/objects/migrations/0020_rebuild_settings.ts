import { CompiledQuery } from 'kysely';
import type { Migration } from '../../kernel/store/migrations/migration.ts';

/** Where the settings that a backup tells of are gathered, as its lines: what is secret in them stays sealed. */
export const rebuildSettingsMigration: Migration = {
  name: '0020_rebuild_settings',
  async up(db, { key }) {
    const statement = `create table rebuild_settings (
      kind ${key} not null, id ${key} not null, told text not null, primary key (kind, id))`;
    await db.executeQuery(CompiledQuery.raw(statement));
  },
  async down(db) {
    await db.executeQuery(CompiledQuery.raw('drop table rebuild_settings'));
  },
};

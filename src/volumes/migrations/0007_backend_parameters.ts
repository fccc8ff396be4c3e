import { CompiledQuery } from 'kysely';
import type { ColumnTypes, Migration } from '../../kernel/store/migrations/migration.ts';

/** What a volume was asked for of its backend alone, what its backend said of it last, and the device of an attachment. */
export const backendParametersMigration: Migration = {
  name: '0007_backend_parameters',
  async up(db, types) {
    for (const { table, column, type } of additions(types)) {
      await db.executeQuery(CompiledQuery.raw(`alter table ${table} add column ${column} ${type}`));
    }
  },
  async down(db, types) {
    for (const { table, column } of additions(types)) {
      await db.executeQuery(CompiledQuery.raw(`alter table ${table} drop column ${column}`));
    }
  },
};

function additions({ key }: ColumnTypes) {
  return [
    { table: 'volumes', column: 'parameters', type: `text not null default '{}'` },
    { table: 'volumes', column: 'backend_data', type: 'text' },
    { table: 'attachments', column: 'device', type: key },
  ];
}

import { SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely';
import type { EngineDialect } from '../kysely.ts';
import type { ColumnTypes } from '../migrations/migration.ts';

/** Schema changes are transactional in SQLite; Kysely by default does not use that, and a crash would leave a half. */
class TransactionalSqliteAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

/** How Kysely speaks to SQLite. */
export const sqliteDialect: EngineDialect = {
  // A transaction that reads first and writes later could not get the lock in between.
  begin: 'begin immediate',
  createQueryCompiler: () => new SqliteQueryCompiler(),
  createAdapter: () => new TransactionalSqliteAdapter(),
  createIntrospector: (db) => new SqliteIntrospector(db),
};

export const sqliteColumns: ColumnTypes = {
  key: 'text',
  integer: 'integer',
  counter: 'integer primary key autoincrement',
};

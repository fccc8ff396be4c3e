import { SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely';
import type { EngineDialect } from '../kysely.ts';
import type { ColumnTypes } from '../migrations/migration.ts';
import type { SqlFragments } from '../store.ts';

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

/** One writer at a time makes row locks needless. */
export const sqliteFragments: SqlFragments = {
  nowMs: `cast(unixepoch('subsec') * 1000 as integer)`,
  forUpdate: '',
  forUpdateSkipLocked: '',
};

export const sqliteColumns: ColumnTypes = {
  key: 'text',
  integer: 'integer',
  counter: 'integer primary key autoincrement',
};

import { SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely';
import type { EngineDialect } from '../kysely.ts';
import type { ColumnTypes } from '../migrations/migration.ts';
import type { SqlFragments } from '../store.ts';

/** How Kysely speaks to SQLite. */
export const sqliteDialect: EngineDialect = {
  createQueryCompiler: () => new SqliteQueryCompiler(),
  createAdapter: () => new SqliteAdapter(),
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

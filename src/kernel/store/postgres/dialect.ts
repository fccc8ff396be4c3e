import { PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely';
import type { EngineDialect } from '../kysely.ts';
import type { ColumnTypes } from '../migrations/migration.ts';
import type { SqlFragments } from '../store.ts';

/** How Kysely speaks to PostgreSQL. */
export const postgresDialect: EngineDialect = {
  begin: 'begin',
  createQueryCompiler: () => new PostgresQueryCompiler(),
  createAdapter: () => new PostgresAdapter(),
  createIntrospector: (db) => new PostgresIntrospector(db),
};

export const postgresFragments: SqlFragments = {
  nowMs: `(extract(epoch from clock_timestamp()) * 1000)::bigint`,
  // `no key update` lets rows that only refer to the locked one be inserted meanwhile.
  forUpdate: 'for no key update',
  forUpdateSkipLocked: 'for no key update skip locked',
};

export const postgresColumns: ColumnTypes = {
  key: 'text collate "C"',
  integer: 'bigint',
  counter: 'bigint generated always as identity primary key',
};

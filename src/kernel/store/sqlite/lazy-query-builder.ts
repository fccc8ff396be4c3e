import { createRequire } from 'node:module';
import type { Kysely } from 'kysely';
import type { StatementExecutor } from '../kysely.ts';
import type { KernelTables } from '../tables.ts';

/**
 * The query builder on a connection, its library loaded only now: most transactions are constant statements, and a thread
 * that runs only those is several MiB smaller.
 */
export function lazyQueryBuilder(executor: StatementExecutor): Kysely<KernelTables> {
  const load = createRequire(import.meta.url);
  const { kyselyOn } = load('../kysely.ts') as typeof import('../kysely.ts');
  const { sqliteDialect } = load('./dialect.ts') as typeof import('./dialect.ts');
  return kyselyOn<KernelTables>(sqliteDialect, executor);
}

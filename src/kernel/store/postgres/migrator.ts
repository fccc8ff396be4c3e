import pg from 'pg';
import { HoldfastError } from '../../errors/errors.ts';
import { kyselyOn } from '../kysely.ts';
import { createMigrator, type SchemaMigrator } from '../migrate.ts';
import type { Migration } from '../migrations/migration.ts';
import { PostgresConnection, StatementNames } from './connection.ts';
import { postgresColumns, postgresDialect } from './dialect.ts';
import { postgresError } from './errors.ts';

/** Migrations on PostgreSQL, over one connection of their own. Kysely's advisory lock keeps two processes apart. */
export async function openPostgresMigrator(
  url: string,
  timeoutMs: number,
  migrations: readonly Migration[],
): Promise<SchemaMigrator> {
  if (!/^postgres(ql)?:\/\//.test(url)) throw invalidUrl('must begin with postgres:// or postgresql://');
  const client = createClient(url, timeoutMs);
  client.on('error', () => {}); // a loss is seen by the statement under way
  try {
    await client.connect();
  } catch (error) {
    throw postgresError(error, 'none');
  }
  const db = kyselyOn<unknown>(postgresDialect, new PostgresConnection(client, new StatementNames()));
  return createMigrator(db, postgresColumns, migrations, () => client.end());
}

function createClient(url: string, timeoutMs: number): pg.Client {
  try {
    return new pg.Client({ connectionString: url, connectionTimeoutMillis: timeoutMs });
  } catch {
    throw invalidUrl('is not a URL that PostgreSQL understands');
  }
}

/** Neither the URL nor the parser's error, which repeats it, is told: it may hold a password. */
function invalidUrl(problem: string): HoldfastError {
  return new HoldfastError('invalid', `DATABASE_URL ${problem}.`, { field: 'DATABASE_URL' });
}

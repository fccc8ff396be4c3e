import { Migrator, type Kysely, type MigrationResultSet } from 'kysely';
import { HoldfastError } from '../errors/errors.ts';
import type { ColumnTypes, Migration } from './migrations/migration.ts';

export interface MigrationStatus {
  readonly name: string;
  /** `null` when it has not been applied. */
  readonly appliedAt: Date | null;
}

/** The schema of one database: its state and the ways up and down. */
export interface SchemaMigrator {
  status(): Promise<readonly MigrationStatus[]>;
  /** Applies everything missing; gives the names applied. Two processes may call it at once. */
  up(): Promise<readonly string[]>;
  /** Takes back the newest `steps` migrations; gives their names. Their data is gone. */
  down(steps: number): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** Migrations over a connection that `close` ends. */
export function createMigrator(
  db: Kysely<unknown>,
  types: ColumnTypes,
  migrations: readonly Migration[],
  close: () => Promise<void>,
): SchemaMigrator {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => asKysely(migrations, types) } });
  return {
    status: async () =>
      (await migrator.getMigrations()).map(({ name, executedAt }) => ({ name, appliedAt: executedAt ?? null })),
    up: async () => applied(await migrator.migrateToLatest()),
    down: async (steps) => {
      const names: string[] = [];
      for (let step = 0; step < steps; step++) names.push(...applied(await migrator.migrateDown()));
      return names;
    },
    close,
  };
}

function asKysely(migrations: readonly Migration[], types: ColumnTypes) {
  return Object.fromEntries(
    migrations.map((migration) => [
      migration.name,
      {
        up: (db: Kysely<unknown>) => migration.up(db, types),
        down: (db: Kysely<unknown>) => migration.down(db, types),
      },
    ]),
  );
}

function applied({ error, results }: MigrationResultSet): string[] {
  if (error !== undefined) {
    const failed = results?.find((result) => result.status === 'Error')?.migrationName;
    const message = error instanceof Error ? error.message : String(error);
    throw new HoldfastError(
      'unavailable',
      `The schema could not be changed${failed ? ` (${failed})` : ''}: ${message.replace(/[.]$/, '')}.`,
      {},
      error,
    );
  }
  return (results ?? []).filter((result) => result.status === 'Success').map((result) => result.migrationName);
}

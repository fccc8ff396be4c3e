import { accessSync, constants, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { HoldfastError } from '../errors/errors.ts';
import { kyselyOn } from './kysely.ts';
import { createMigrator, type SchemaMigrator } from './migrate.ts';
import type { Migration } from './migrations/migration.ts';
import type { Store } from './store.ts';
import { SqliteDatabase } from './sqlite/database.ts';
import { sqliteColumns, sqliteDialect } from './sqlite/dialect.ts';
import { lockForLife } from './sqlite/life-lock.ts';
import { SqliteStore } from './sqlite/sqlite-store.ts';

/** Where the store is. Without a URL it is embedded in the data directory. */
export interface StoreSettings {
  readonly databaseUrl: string | undefined;
  readonly dataDirectory: string;
  readonly timeoutMs: number;
  readonly migrations: readonly Migration[];
  onError?(error: Error): void;
}

/**
 * Opens the store with its schema up to date. `owner` is whether this process will run operations: on an embedded
 * store there can be only one, and a second one is refused with `conflict`.
 *
 * Throws with one sentence: `invalid` for a URL that is none, `unavailable` for a server that does not answer or a
 * directory that cannot be written.
 */
export async function openStore(settings: StoreSettings, options: { readonly owner: boolean }): Promise<Store> {
  if (settings.databaseUrl === undefined) return openEmbedded(settings, options.owner);
  await migrateAndClose(settings);
  const { PostgresStore } = await import('./postgres/postgres-store.ts');
  const { databaseUrl: url, timeoutMs, onError } = settings;
  return new PostgresStore({ url, timeoutMs, ...(onError ? { onError } : {}) });
}

/** Opens only the schema, for `holdfast migrate`. */
export async function openMigrator(settings: StoreSettings): Promise<SchemaMigrator> {
  if (settings.databaseUrl !== undefined) {
    const { openPostgresMigrator } = await import('./postgres/migrator.ts');
    return openPostgresMigrator(settings.databaseUrl, settings.timeoutMs, settings.migrations);
  }
  const database = new SqliteDatabase(prepareDirectory(settings.dataDirectory));
  const db = kyselyOn<unknown>(sqliteDialect, database);
  return createMigrator(db, sqliteColumns, settings.migrations, async () => database.close());
}

async function openEmbedded(settings: StoreSettings, isOwner: boolean): Promise<Store> {
  const path = prepareDirectory(settings.dataDirectory);
  const lock = isOwner ? lockForLife(join(settings.dataDirectory, 'holdfast.lock')) : null;
  try {
    await migrateAndClose(settings);
    return await SqliteStore.open(path, { timeoutMs: settings.timeoutMs, onClose: () => lock?.release() });
  } catch (error) {
    lock?.release();
    throw error;
  }
}

async function migrateAndClose(settings: StoreSettings): Promise<void> {
  const migrator = await openMigrator(settings);
  try {
    await migrator.up();
  } finally {
    await migrator.close();
  }
}

function prepareDirectory(directory: string): string {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    accessSync(directory, constants.W_OK);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new HoldfastError('unavailable', `The data directory ${directory} cannot be written: ${reason}.`, {}, error);
  }
  return join(directory, 'holdfast.db');
}

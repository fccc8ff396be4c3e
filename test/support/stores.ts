import { after, describe } from 'node:test';
import { kernelMigrations } from '../../src/kernel/store/migrations/kernel-migrations.ts';
import type { Migration } from '../../src/kernel/store/migrations/migration.ts';
import { openStore, type StoreSettings } from '../../src/kernel/store/open.ts';
import type { Store } from '../../src/kernel/store/store.ts';
import { type PostgresServer, postgresMissing, startPostgres } from './postgres.ts';
import { temporaryDirectory } from './temp.ts';

/** One engine for a suite that runs on all of them. */
export interface StoreEngine {
  readonly name: 'sqlite' | 'postgres';
  /** Where a fresh, empty store is: opening it twice gives two processes' views of the same data. */
  fresh(migrations?: readonly Migration[]): Promise<StoreSettings>;
  /** Only on an engine of its own process. */
  readonly server: (() => Promise<PostgresServer>) | null;
}

const shared: { server: Promise<PostgresServer> | null } = { server: null };

/** One server for all suites of a test process, each of which has databases of its own; it ends with the process. */
function sharedPostgres(): Promise<PostgresServer> {
  return (shared.server ??= startPostgres());
}

export const requireReal = process.env['HOLDFAST_REQUIRE_REAL'] === '1';

/** Runs a suite on SQLite and on a real PostgreSQL. */
export function onEveryStore(suite: string, body: (engine: StoreEngine) => void): void {
  describe(`${suite} on SQLite`, () => {
    const cleanups: (() => PromiseLike<void>)[] = [];
    after(async () => {
      for (const cleanup of cleanups) await cleanup();
    });
    body({
      name: 'sqlite',
      server: null,
      fresh: async (migrations = kernelMigrations) => {
        const directory = await temporaryDirectory();
        cleanups.push(() => directory[Symbol.asyncDispose]());
        return { databaseUrl: undefined, dataDirectory: directory.path, timeoutMs: 5_000, migrations };
      },
    });
  });
  describe(`${suite} on PostgreSQL`, async () => {
    const missing = await postgresMissing();
    if (missing !== null && !requireReal) {
      describe.skip(`left out: ${missing}`);
      return;
    }
    body({
      name: 'postgres',
      server: sharedPostgres,
      fresh: async (migrations = kernelMigrations) => {
        const databaseUrl = await (await sharedPostgres()).createDatabase();
        return { databaseUrl, dataDirectory: '', timeoutMs: 5_000, migrations };
      },
    });
  });
}

/** A store on fresh data. */
export async function openFresh(engine: StoreEngine, migrations?: readonly Migration[]): Promise<Store> {
  return openStore(await engine.fresh(migrations), { owner: true });
}

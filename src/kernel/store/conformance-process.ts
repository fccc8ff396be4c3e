import { HoldfastError } from '../errors/errors.ts';
import { conformanceMigration, putRow } from './conformance-transactions.ts';
import { kernelMigration } from './migrations/0001_kernel.ts';
import { openMigrator, openStore, type StoreSettings } from './open.ts';

/**
 * Another process on the store, for the conformance suite. Prints one line of JSON when it has done what its first
 * argument says; `own` then goes on holding the store until its input ends.
 */
async function main(command: string, where: Pick<StoreSettings, 'databaseUrl' | 'dataDirectory'>): Promise<unknown> {
  const settings = { ...where, timeoutMs: 5_000, migrations: [kernelMigration, conformanceMigration] };
  if (command === 'migrate') {
    const migrator = await openMigrator(settings);
    const applied = await migrator.up();
    await migrator.close();
    return { applied };
  }
  const store = await openStore(settings, { owner: command === 'own' });
  if (command === 'write') {
    await store.write(putRow, { id: 'from-another-process', value: 7 });
    await store.close();
  }
  return { done: command };
}

try {
  const [command, where] = process.argv.slice(2) as [string, string];
  console.log(JSON.stringify(await main(command, JSON.parse(where) as StoreSettings)));
  if (command === 'own') for await (const _ of process.stdin);
  process.exit(0);
} catch (error) {
  const kind = error instanceof HoldfastError ? error.kind : 'not ours';
  console.log(JSON.stringify({ kind, message: (error as Error).message }));
  process.exit(1);
}

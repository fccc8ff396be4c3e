import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Tx } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import { setBackendState } from '../backends/management/drain.ts';
import { findBackend } from '../backends/management/queries.ts';
import { noteMigration } from './events.ts';
import { openMigration, standingOn } from './queries.ts';
import { type StorageMigration, migratingState } from './storage-migration.ts';

export interface BeginMigration {
  readonly id: string;
  readonly source: string;
  readonly target: string;
  readonly parallel: number;
  readonly isReadBack: boolean;
  readonly actor: string;
  readonly nowMs: number;
}

const insert = `insert into storage_migrations (id, source, target, state, is_open, parallel, is_read_back, actor,
  total_copies, total_bytes, moved_copies, moved_bytes, created_at) values (?, ?, ?, 'copying', 1, ?, ?, ?, ?, ?, 0, 0, ?)`;

/**
 * Begins a migration: from this commit on nothing new is admitted on the source, whichever gateway asks. Throws `not_found`,
 * and `conflict` when one is under way or a backend is not active.
 */
export const beginMigration = transaction(
  import.meta.url,
  'beginMigration',
  async (tx, wish: BeginMigration): Promise<StorageMigration> => {
    const { id, source, target, parallel, isReadBack, actor, nowMs } = wish;
    await tx.lock('storage-migration');
    const running = await openMigration(tx);
    if (running !== null) throw underWay(running);
    for (const name of [source, target]) await requireActive(tx, name);
    const { copies, bytes } = await standingOn(tx, source);
    await setBackendState.body(tx, { name: source, state: migratingState, doing: { actor, nowMs } });
    const values = [id, source, target, parallel, isReadBack ? 1 : 0, actor, copies, bytes, nowMs];
    await tx.run('delete from storage_migration_failures', []);
    await tx.run(insert, values);
    await noteMigration(tx, 'started', wish, wish);
    return (await openMigration(tx))!;
  },
);

/** What is said to whoever wants a second one. */
export function underWay({ id, source, target }: StorageMigration): HoldfastError {
  const message = `A migration from ${source} to ${target} is under way; let it end or cancel it.`;
  return new HoldfastError('conflict', message, { migration: id });
}

async function requireActive(tx: Tx, name: string): Promise<void> {
  const row = await findBackend(tx, name);
  if (row === null) throw new HoldfastError('not_found', `There is no backend ${name.slice(0, 100)}.`);
  if (row.state === 'active') return;
  throw new HoldfastError('conflict', `Backend ${name} is ${row.state}; both backends must be active.`, {
    backend: name,
  });
}

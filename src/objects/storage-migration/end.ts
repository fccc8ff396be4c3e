import { HoldfastError } from '../../kernel/errors/errors.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import { setBackendState } from '../backends/management/drain.ts';
import { noteMigration } from './events.ts';
import { countFailures, openMigration } from './queries.ts';
import type { StorageMigration } from './storage-migration.ts';

/** Who ends a migration, and when. */
export interface EndMigration {
  readonly id: string;
  readonly actor: string;
  readonly nowMs: number;
}

/** What keeps a migration from being switched: `copies` without a twin, or writes admitted before it began. */
export type NotYet = 'copies' | 'writes';

/** Of what is gone from the source, or came to stand on the target in another way. */
const forgetSettled = `delete from storage_migration_failures where not exists (select 1 from copies c
  where c.content_id = storage_migration_failures.content_id and c.part = storage_migration_failures.part and c.backend = ?
    and not exists (select 1 from copies t where t.content_id = c.content_id and t.part = c.part and t.backend = ?))`;
const unmoved = `select 1 from copies c where c.backend = ? and not exists (select 1 from copies t
  where t.content_id = c.content_id and t.part = c.part and t.backend = ?) limit 1`;

/**
 * Switches to the target, all at once: only when each copy on the source has a twin and none can come any more. What stands
 * on the source is then drained. Gives what it waits for, or `null` when it is done.
 */
export const switchMigration = transaction(
  import.meta.url,
  'switchMigration',
  async (tx, { id, actor, nowMs }: EndMigration): Promise<NotYet | null> => {
    await tx.lock('storage-migration');
    const migration = await openMigration(tx);
    if (migration?.id !== id || migration.state !== 'copying') return null;
    const { source, target } = migration;
    const [writing] = await tx.rows('select 1 from intents where backend = ? limit 1', [source]);
    if (writing !== undefined) return 'writes';
    await tx.run(forgetSettled, [source, target]);
    const [left] = await tx.rows(unmoved, [source, target]);
    if (left !== undefined || (await countFailures(tx)) > 0) return 'copies';
    const doing = { actor, nowMs };
    await setBackendState.body(tx, { name: source, state: 'draining', isMigration: true, doing });
    await tx.run(`update storage_migrations set state = 'cleaning', switched_at = ?, last_error = null where id = ?`, [
      nowMs,
      id,
    ]);
    await noteMigration(tx, 'switched', migration, doing);
    return null;
  },
);

/**
 * Gives a migration up before it is switched: the source takes writes again, and the twins on the target go. Throws
 * `not_found` without one, `conflict` when it is switched already.
 */
export const cancelMigration = transaction(
  import.meta.url,
  'cancelMigration',
  async (tx, doing: Omit<EndMigration, 'id'>): Promise<StorageMigration> => {
    await tx.lock('storage-migration');
    const migration = await openMigration(tx);
    if (migration === null) throw new HoldfastError('not_found', 'No migration is under way.');
    if (migration.state === 'cleaning') {
      const message = `The migration to ${migration.target} is switched already; migrate back to ${migration.source}.`;
      throw new HoldfastError('conflict', message, { migration: migration.id });
    }
    if (migration.state === 'copying') {
      await setBackendState.body(tx, { name: migration.source, state: 'active', isMigration: true, doing });
      await tx.run(`update storage_migrations set state = 'cancelling' where id = ?`, [migration.id]);
      await tx.run('delete from storage_migration_failures', []);
      await noteMigration(tx, 'cancelling', migration, doing);
    }
    return (await openMigration(tx))!;
  },
);

/** What is to leave a source; whoever has it take writes again wants it to keep what it still has. */
const leaving = `select 1 from copies c join object_backends b on b.name = c.backend
  where c.backend = ? and b.state <> 'active' limit 1`;

/** Ends a migration that has nothing left to let go. Gives whether it did. */
export const finishMigration = transaction(
  import.meta.url,
  'finishMigration',
  async (tx, { id, actor, nowMs }: EndMigration): Promise<boolean> => {
    await tx.lock('storage-migration');
    const migration = await openMigration(tx);
    if (migration?.id !== id || migration.state === 'copying') return false;
    if (migration.state === 'cleaning') {
      const [left] = await tx.rows(leaving, [migration.source]);
      if (left !== undefined) return false;
    }
    const state = migration.state === 'cleaning' ? 'completed' : 'cancelled';
    await tx.run(`update storage_migrations set state = ?, is_open = 0, finished_at = ? where id = ?`, [
      state,
      nowMs,
      id,
    ]);
    await noteMigration(tx, state, migration, { actor, nowMs });
    return true;
  },
);

import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { transaction } from '../../../kernel/store/transaction.ts';
import { type Doing, noteBackend } from './events.ts';
import { type BackendUses, type BoundedCount, findBackend, usesOf } from './queries.ts';

/**
 * Forgets a backend to which nothing refers: no copy, no write under way, nothing that waits for deletion. It must drain, so
 * that no new write can be on its way. Throws `not_found`, or `conflict` with what there is.
 */
export const removeBackend = transaction(
  import.meta.url,
  'removeBackend',
  async (tx, { name, doing }: { readonly name: string; readonly doing: Doing }): Promise<void> => {
    // First, since a claim that is being made holds a stripe: then it is waited for, and counted.
    await tx.run('delete from backend_stripes where backend = ?', [name]);
    const row = await findBackend(tx, name);
    if (row === null) throw new HoldfastError('not_found', `There is no backend ${name.slice(0, 100)}.`);
    if (row.state === 'active') {
      throw new HoldfastError('conflict', `Backend ${name} takes writes; drain it first.`, { state: row.state });
    }
    refuseInUse(name, await usesOf(tx, name));
    for (const table of ['backend_usage', 'backend_outages', 'backend_drains']) {
      await tx.run(`delete from ${table} where backend = ?`, [name]);
    }
    await tx.run('delete from object_backends where name = ?', [name]);
    await noteBackend(tx, name, 'removed', doing);
  },
);

/** Throws `conflict` with the counts when anything refers to a backend. */
export function refuseInUse(name: string, { copies, intents, cleanup }: BackendUses): void {
  if (copies.count + intents.count + cleanup.count === 0) return;
  const message =
    `Backend ${name} is in use: ${shown(copies)} copies stand there, ${shown(intents)} writes are under way ` +
    `and ${shown(cleanup)} blobs wait for deletion. Drain it and wait until it is empty.`;
  throw new HoldfastError('conflict', message, {
    reason: 'in_use',
    copies: copies.count,
    intents: intents.count,
    cleanup: cleanup.count,
  });
}

function shown({ count, isExact }: BoundedCount): string {
  return isExact ? String(count) : `more than ${count}`;
}

import { appendEvent } from '../../kernel/events/event.ts';
import type { Tx } from '../../kernel/store/store.ts';
import type { StorageMigration } from './storage-migration.ts';

/** Writes what happened to a migration, in the transaction that changed its row. */
export async function noteMigration(
  tx: Tx,
  type: 'started' | 'switched' | 'completed' | 'cancelling' | 'cancelled',
  { id, source, target }: Pick<StorageMigration, 'id' | 'source' | 'target'>,
  { actor, nowMs }: { readonly actor: string; readonly nowMs: number },
): Promise<void> {
  await appendEvent(tx, {
    resource: `storage-migration:${id}`,
    type: `migration.${type}`,
    data: { migration: id, source, target },
    operationId: null,
    actor,
    createdAtMs: nowMs,
  });
}

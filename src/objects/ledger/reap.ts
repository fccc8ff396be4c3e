import { transaction } from '../../kernel/store/transaction.ts';
import type { IntentRow } from '../tables.ts';
import { disposeIntents } from './intents.ts';

/**
 * Settles intents left by a crash: those whose owner is not among the living replicas. Their bytes are queued for
 * deletion. Should the owner be alive after all, its commit finds no intent and is refused. Gives how many there were.
 */
export const reapIntents = transaction(
  import.meta.url,
  'reapIntents',
  async (tx, { limit, nowMs }: { readonly limit: number; readonly nowMs: number }): Promise<number> => {
    const abandoned = `select * from intents where owner not in
      (select id from replicas where until > ${tx.fragments.nowMs}) order by created_at limit ? ${tx.fragments.forUpdateSkipLocked}`;
    const rows = await tx.rows<IntentRow>(abandoned, [limit]);
    for (const { write_id, backend } of rows) {
      await tx.run('delete from intents where write_id = ? and backend = ?', [write_id, backend]);
    }
    await disposeIntents(tx, rows, 'abandoned write', nowMs);
    return rows.length;
  },
);

const queues = [
  ['cleanup', 'id'],
  ['shortfalls', 'content_id, part'],
] as const;

/**
 * Gives back the deletions and owed copies that a replica had claimed which is not alive any more, so that nobody waits for
 * the end of its claims; and those that nobody is known to work on. Should somebody be at them after all, then the same is
 * done twice, which does no harm.
 */
export const freeClaims = transaction(import.meta.url, 'freeClaims', async (tx): Promise<void> => {
  const { nowMs, forUpdateSkipLocked } = tx.fragments;
  const isDead = `claimed_until > 0 and (claimed_by is null
    or claimed_by not in (select id from replicas where until > ${nowMs}))`;
  for (const [table, id] of queues) {
    const theirs = `select ${id} from ${table} where ${isDead} ${forUpdateSkipLocked}`;
    await tx.run(`update ${table} set claimed_by = null, claimed_until = 0 where (${id}) in (${theirs})`, []);
  }
});

import type { Reader } from '../../kernel/store/store.ts';
import { transaction } from '../../kernel/store/transaction.ts';
import type { IntentRow } from '../tables.ts';
import { disposeIntents } from './intents.ts';

const living = ({ fragments }: Reader) => `(select id from replicas where until > ${fragments.nowMs})`;
const abandoned = (reader: Reader) =>
  `select * from intents where owner not in ${living(reader)} order by created_at limit ?`;

/** Intents whose owner is not among the living replicas, the oldest first. */
export function abandonedIntents(reader: Reader, limit: number): Promise<IntentRow[]> {
  return reader.rows<IntentRow>(abandoned(reader), [limit]);
}

/**
 * Settles intents left by a crash: those whose owner is not among the living replicas. Their bytes are queued for
 * deletion. Should the owner be alive after all, its commit finds no intent and is refused. Gives how many there were.
 */
export const reapIntents = transaction(
  import.meta.url,
  'reapIntents',
  async (tx, { limit, nowMs }: { readonly limit: number; readonly nowMs: number }): Promise<number> => {
    const rows = await tx.rows<IntentRow>(`${abandoned(tx)} ${tx.fragments.forUpdateSkipLocked}`, [limit]);
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
type Queue = (typeof queues)[number][0];

/** Of which a replica is at work that is not alive, or nobody knows who is. */
const isDead = (reader: Reader) => `claimed_until > 0 and (claimed_by is null or claimed_by not in ${living(reader)})`;

/** How many deletions and owed copies nobody living is at, though they are claimed; each counted up to `limit`. */
export async function countDeadClaims(reader: Reader, limit: number): Promise<Record<Queue, number>> {
  const counts = { cleanup: 0, shortfalls: 0 };
  for (const [table] of queues) {
    const claims = `select count(*) as n from (select claimed_until from ${table} where ${isDead(reader)} limit ?) c`;
    const [row] = await reader.rows<{ n: number | string }>(claims, [limit]);
    counts[table] = Number(row!.n);
  }
  return counts;
}

/**
 * Gives back the deletions and owed copies that a replica had claimed which is not alive any more, so that nobody waits for
 * the end of its claims; and those that nobody is known to work on. Should somebody be at them after all, then the same is
 * done twice, which does no harm.
 */
export const freeClaims = transaction(import.meta.url, 'freeClaims', async (tx): Promise<void> => {
  const { forUpdateSkipLocked } = tx.fragments;
  for (const [table, id] of queues) {
    const theirs = `select ${id} from ${table} where ${isDead(tx)} ${forUpdateSkipLocked}`;
    await tx.run(`update ${table} set claimed_by = null, claimed_until = 0 where (${id}) in (${theirs})`, []);
  }
});

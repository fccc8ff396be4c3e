import { transaction } from '../../kernel/store/transaction.ts';
import type { IntentRow } from '../tables.ts';
import { disposeIntents } from './intents.ts';

export interface ReapIntents {
  /** Intents younger than this are left alone: their owner may have begun after the list of the living was written. */
  readonly beforeMs: number;
  /** This process, and what it is writing now: its other intents are left-overs of writes that ended badly. */
  readonly owner: string;
  readonly underWay: readonly string[];
  readonly limit: number;
  readonly nowMs: number;
}

/**
 * Settles intents left by a crash: their owner is not among the living replicas, or is this process and does not know
 * them. Their bytes are queued for deletion. Gives how many there were.
 */
export const reapIntents = transaction(
  import.meta.url,
  'reapIntents',
  async (tx, { beforeMs, owner, underWay, limit, nowMs }: ReapIntents): Promise<number> => {
    const abandoned = `select * from intents where created_at < ? and (owner = ? or
      owner not in (select id from replicas where until > ${tx.fragments.nowMs}))
      order by created_at limit ? ${tx.fragments.forUpdateSkipLocked}`;
    const alive = new Set(underWay);
    const rows = (await tx.rows<IntentRow>(abandoned, [beforeMs, owner, limit + alive.size])).filter(
      (row) => row.owner !== owner || !alive.has(row.write_id),
    );
    for (const row of rows) {
      await tx.run('delete from intents where write_id = ? and backend = ?', [row.write_id, row.backend]);
    }
    await disposeIntents(tx, rows, 'abandoned write', nowMs);
    return rows.length;
  },
);

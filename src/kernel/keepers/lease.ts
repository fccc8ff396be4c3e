import type { KeeperProgress } from './keeper.ts';
import { transaction } from '../store/transaction.ts';

export interface Claim {
  readonly name: string;
  readonly owner: string;
  readonly leaseMs: number;
  /** Only when the last run began longer ago than this; 0: at once. */
  readonly restMs: number;
}

/**
 * Takes a keeper's lease, by the database's clock; `false` while another holds it, it ran just now, or somebody has it rest.
 * A holder that is no living replica any more holds nothing: after a crash the next start does not wait for the lease to
 * run out.
 */
export const claimKeeper = transaction(import.meta.url, 'claimKeeper', async (tx, params: Claim): Promise<boolean> => {
  const { name, owner, leaseMs, restMs } = params;
  const now = tx.fragments.nowMs;
  await tx.run('insert into keepers (name, until, runs) values (?, 0, 0) on conflict (name) do nothing', [name]);
  const claimed = await tx.run(
    `update keepers set owner = ?, until = ${now} + ?, last_started_at = ${now}, runs = runs + 1
     where name = ? and paused_at is null and coalesce(last_started_at, 0) <= ${now} - ?
       and (until < ${now} or owner = ? or owner not in (select id from replicas where replicas.until > ${now}))`,
    [owner, leaseMs, name, restMs, owner],
  );
  return claimed === 1;
});

export interface Extension extends Omit<Claim, 'restMs'> {
  readonly progress: KeeperProgress | null;
}

/** Keeps the lease while a long run goes on, and tells how far it is; `false` when it was lost or is to rest. */
export const extendKeeper = transaction(
  import.meta.url,
  'extendKeeper',
  async (tx, { name, owner, leaseMs, progress }: Extension): Promise<boolean> => {
    const now = tx.fragments.nowMs;
    const statement = `update keepers set until = ${now} + ?, progress = ?
      where name = ? and owner = ? and until > ${now} and paused_at is null`;
    const told = progress === null ? null : JSON.stringify(progress);
    return (await tx.run(statement, [leaseMs, told, name, owner])) === 1;
  },
);

/** Writes how a run ended and frees the lease. */
export const finishKeeper = transaction(
  import.meta.url,
  'finishKeeper',
  async (
    tx,
    params: {
      readonly name: string;
      readonly owner: string;
      readonly result: string | null;
      readonly error: string | null;
    },
  ): Promise<void> => {
    const { name, owner, result, error } = params;
    const now = tx.fragments.nowMs;
    await tx.run(
      `update keepers set until = 0, progress = null, last_finished_at = ${now}, last_result = coalesce(?, last_result), last_error = ?,
         last_success_at = case when ? = 1 then ${now} else last_success_at end
       where name = ? and owner = ?`,
      [result, error, error === null ? 1 : 0, name, owner],
    );
  },
);

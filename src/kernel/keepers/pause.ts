import { transaction } from '../store/transaction.ts';

/** Lets a keeper rest until it is resumed, on every replica; a restart does not end it. Pausing it again changes nothing. */
export const pauseKeeper = transaction(
  import.meta.url,
  'pauseKeeper',
  async (tx, { name, by }: { readonly name: string; readonly by: string }): Promise<void> => {
    await tx.run('insert into keepers (name, until, runs) values (?, 0, 0) on conflict (name) do nothing', [name]);
    const statement = `update keepers set paused_at = ${tx.fragments.nowMs}, paused_by = ? where name = ? and paused_at is null`;
    await tx.run(statement, [by, name]);
  },
);

/** Lets a keeper run again. */
export const resumeKeeper = transaction(
  import.meta.url,
  'resumeKeeper',
  async (tx, { name }: { readonly name: string }): Promise<void> => {
    await tx.run('update keepers set paused_at = null, paused_by = null where name = ?', [name]);
  },
);

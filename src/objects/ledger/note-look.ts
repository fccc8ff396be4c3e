import { transaction } from '../../kernel/store/transaction.ts';

export interface LookedAt {
  readonly backend: string;
  readonly storageKey: string;
  /** A bad copy that is kept was looked at too, so that its turn comes again as that of any other. */
  readonly isGood: boolean;
  readonly nowMs: number;
}

const looked = `update copies set verified_at = ?, damaged_at = case when ? = 1 then null else damaged_at end
  where backend = ? and storage_key = ?`;

/** Records that a copy was read whole. One row a transaction, so that it waits for nobody in a ring. */
export const noteLook = transaction(
  import.meta.url,
  'noteLook',
  async (tx, { backend, storageKey, isGood, nowMs }: LookedAt): Promise<void> => {
    await tx.run(looked, [nowMs, isGood ? 1 : 0, backend, storageKey]);
  },
  () => true,
);

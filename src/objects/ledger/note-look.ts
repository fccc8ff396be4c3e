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

/** So many looks at most share a transaction. */
export const looksMax = 100;

export interface GoodLooks {
  readonly backend: string;
  /** At most {@link looksMax}. */
  readonly storageKeys: readonly string[];
  readonly nowMs: number;
}

const isThere = 'select storage_key from copies where backend = ? and storage_key in';

/**
 * Records that copies were read whole and found right: in one transaction, since each one's flush holds up those of clients.
 * Rows that another transaction holds are left out, so that it waits for nobody in a ring; their turn comes again.
 */
export const noteGoodLooks = transaction(
  import.meta.url,
  'noteGoodLooks',
  async (tx, { backend, storageKeys, nowMs }: GoodLooks): Promise<void> => {
    if (storageKeys.length === 0) return;
    const holes = storageKeys.map(() => '?').join(', ');
    const found = `${isThere} (${holes}) ${tx.fragments.forUpdateSkipLocked}`;
    const statement = `update copies set verified_at = ?, damaged_at = null where backend = ? and storage_key in (${found})`;
    await tx.run(statement, [nowMs, backend, backend, ...storageKeys]);
  },
);

import { transaction } from '../../../kernel/store/transaction.ts';

/** Notes when an access key was used; an older time than the one that stands changes nothing. */
export const noteKeyUse = transaction(
  import.meta.url,
  'noteKeyUse',
  async (tx, { accessKey, usedAtMs }: { readonly accessKey: string; readonly usedAtMs: number }): Promise<void> => {
    await tx.run(
      'update access_keys set last_used_at = ? where access_key = ? and (last_used_at is null or last_used_at < ?)',
      [usedAtMs, accessKey, usedAtMs],
    );
  },
  () => true,
);

import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { transaction } from '../../../kernel/store/transaction.ts';
import { findSealedKey } from '../queries.ts';
import { type Cause, holdUser, noteOnUser } from './user-row.ts';

/** Ends an access key for good; its secret is gone from the store. Throws `not_found`, also for one that was revoked. */
export const revokeKey = transaction(
  import.meta.url,
  'revokeKey',
  async (tx, { accessKey, cause }: { readonly accessKey: string; readonly cause: Cause }): Promise<void> => {
    const missing = new HoldfastError('not_found', `There is no access key ${accessKey.slice(0, 100)}.`);
    const key = await findSealedKey(tx, accessKey);
    if (key === null) throw missing;
    const user = await holdUser(tx, key.userId);
    const revoked = await tx.run(
      'update access_keys set revoked_at = ?, sealed_secret = null where access_key = ? and revoked_at is null',
      [cause.nowMs, accessKey],
    );
    // Somebody else was faster while this one waited for the user.
    if (revoked === 0) throw missing;
    await noteOnUser(tx, user, cause, 'key.revoke', { access_key: accessKey });
  },
);

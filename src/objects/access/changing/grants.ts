import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { Tx } from '../../../kernel/store/store.ts';
import { transaction } from '../../../kernel/store/transaction.ts';
import type { Permission } from '../access.ts';
import { formatPermissions, parsePermissions, requireGrantBucket } from '../permission-list.ts';
import { type Grant, type UserRecord, grantsMax } from '../queries.ts';
import { type Cause, holdUser, noteOnUser } from './user-row.ts';

export interface GrantChange {
  /** Id or name. */
  readonly user: string;
  readonly bucket: string;
  readonly permissions: readonly Permission[];
  readonly cause: Cause;
}

/**
 * Sets what a user may do in a bucket, in place of what was granted there. No permissions at all is a grant as well: it
 * takes the bucket out of what `*` grants. Throws `not_found`, `invalid`, or `conflict` past the most grants of a user.
 */
export const setGrant = transaction(import.meta.url, 'setGrant', async (tx, change: GrantChange): Promise<Grant> => {
  const { bucket, permissions, cause } = change;
  const user = await holdUser(tx, change.user);
  return writeGrant(tx, user, { bucket, permissions }, cause);
});

/** Takes a grant back; what `*` grants then counts for that bucket again. Throws `not_found`. */
export const removeGrant = transaction(
  import.meta.url,
  'removeGrant',
  async (tx, { user: reference, bucket, cause }: Omit<GrantChange, 'permissions'>): Promise<void> => {
    const user = await holdUser(tx, reference);
    const removed = await tx.run('delete from grants where user_id = ? and bucket = ?', [user.id, bucket]);
    if (removed === 0) {
      throw new HoldfastError('not_found', `The user ${user.name} has no grant on ${bucket.slice(0, 100)}.`);
    }
    await noteOnUser(tx, user, cause, 'grant.remove', { bucket });
  },
);

/** Writes a grant of a user that this transaction has made or holds. */
export async function writeGrant(tx: Tx, user: UserRecord, grant: Grant, cause: Cause): Promise<Grant> {
  const { bucket } = grant;
  requireGrantBucket(bucket);
  const text = formatPermissions(grant.permissions);
  const [count] = await tx.rows<{ count: number }>(
    'select count(*) as count from grants where user_id = ? and bucket <> ?',
    [user.id, bucket],
  );
  if (count!.count >= grantsMax) {
    throw new HoldfastError('conflict', `The user ${user.name} has ${grantsMax} grants, which is the most.`);
  }
  await tx.run(
    `insert into grants (user_id, bucket, permissions, updated_at) values (?, ?, ?, ?)
     on conflict (user_id, bucket) do update set permissions = excluded.permissions, updated_at = excluded.updated_at`,
    [user.id, bucket, text, cause.nowMs],
  );
  const permissions = parsePermissions(text);
  await noteOnUser(tx, user, cause, 'grant.set', { bucket, permissions });
  return { bucket, permissions };
}

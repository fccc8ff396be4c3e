import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { Tx } from '../../../kernel/store/store.ts';
import { transaction } from '../../../kernel/store/transaction.ts';
import { type Permission, permissions as allPermissions } from '../access.ts';
import { everyBucket } from '../permission-list.ts';
import { type UserRecord, findUser } from '../queries.ts';
import { writeGrant } from './grants.ts';
import { type Cause, holdUser, insertUser, lockUserNames, noteOnUser } from './user-row.ts';

export interface NewKey {
  readonly accessKey: string;
  /** Sealed about the access key: the plain secret never comes to the store. */
  readonly sealedSecret: string;
  readonly label: string;
  /** Id or name of an existing user; `null` for one that is named by the label, or `default`. */
  readonly user: string | null;
  /** The id of the user if one is made. */
  readonly newUserId: string;
  /** What to grant. Both `null` grants all on every bucket to a new user, and nothing to one that exists. */
  readonly bucket: string | null;
  readonly permissions: readonly Permission[] | null;
  readonly cause: Cause;
}

const defaultName = 'default';

/**
 * Makes an access key, with its user and a grant where these are wanted, all or nothing. Throws `not_found`, `invalid`, or
 * `conflict` for a restricted key of a user that is only implied and has rights already: the key would have those too.
 */
export const createKey = transaction(import.meta.url, 'createKey', async (tx, key: NewKey): Promise<UserRecord> => {
  const { accessKey, sealedSecret, label, bucket, permissions, cause } = key;
  const { user, isNew } = await userOf(tx, key);
  if (isNew || bucket !== null || permissions !== null) {
    const grant = { bucket: bucket ?? everyBucket, permissions: permissions ?? allPermissions };
    await writeGrant(tx, user, grant, cause);
  }
  await tx.run(
    'insert into access_keys (access_key, user_id, sealed_secret, label, created_at) values (?, ?, ?, ?, ?)',
    [accessKey, user.id, sealedSecret, label, cause.nowMs],
  );
  await noteOnUser(tx, user, cause, 'key.create', { access_key: accessKey, label });
  return user;
});

async function userOf(tx: Tx, key: NewKey): Promise<{ readonly user: UserRecord; readonly isNew: boolean }> {
  if (key.user !== null) return { user: await holdUser(tx, key.user), isNew: false };
  const name = key.label === '' ? defaultName : key.label;
  await lockUserNames(tx);
  const known = await findUser(tx, name);
  if (known === null) {
    const user = await insertUser(tx, { id: key.newUserId, name, isAdmin: false }, key.cause);
    return { user, isNew: true };
  }
  if (key.bucket !== null || key.permissions !== null) {
    const message = `A user named ${name} exists already, and a key of it would have its rights too: name a user, or choose another label.`;
    throw new HoldfastError('conflict', message, { field: 'user', user_id: known.id });
  }
  return { user: await holdUser(tx, known.id), isNew: false };
}

import type { RestoredSetting } from '../../../kernel/backups/settings.ts';
import type { Reader } from '../../../kernel/store/store.ts';
import { transaction } from '../../../kernel/store/transaction.ts';
import type { Permission } from '../access.ts';
import type { KeptUser } from '../kept-user.ts';
import { formatPermissions } from '../permission-list.ts';
import { type Grant, findUser, listGrants } from '../queries.ts';
import { type Cause, holdUser, lockUserNames, noteOnUser } from './user-row.ts';

export interface RestoreUser {
  readonly id: string;
  readonly user: KeptUser;
  /** By access key, sealed about it. */
  readonly sealed: Readonly<Record<string, string>>;
  readonly cause: Cause;
}

interface RestorePlan extends RestoredSetting {
  readonly isNew: boolean;
  readonly keys: KeptUser['keys'];
  readonly grants: KeptUser['grants'];
}

/**
 * What of a user would be entered. One that is there keeps its grants: one that it does not have may have been taken back. A
 * key is never deleted, so that one which is not there was not known here.
 */
export async function planUser(
  reader: Reader,
  { id, user, sealed }: Pick<RestoreUser, 'id' | 'user' | 'sealed'>,
): Promise<RestorePlan> {
  const [byId] = await reader.rows<{ name: string }>('select name from users where id = ?', [id]);
  const isNew = byId === undefined;
  if (isNew && (await findUser(reader, user.name)) !== null) {
    const note = `Another user is named ${user.name} here; that of the backup is left out with ${user.keys.length} access keys.`;
    return { isNew: false, keys: [], grants: [], counts: {}, notes: [note] };
  }
  const keys: KeptUser['keys'] = [];
  const notes: string[] = [];
  for (const key of user.keys) {
    const statement = 'select user_id, revoked_at from access_keys where access_key = ?';
    const [here] = await reader.rows<{ user_id: string; revoked_at: number | null }>(statement, [key.accessKey]);
    const isRevoked = key.revokedAtMs !== null;
    if (here === undefined && (isRevoked || sealed[key.accessKey] !== undefined)) keys.push(key);
    else if (here === undefined) notes.push(`The secret of ${nameOf(key)} was not kept: make a new key in its place.`);
    else if (isRevoked && here.revoked_at === null)
      notes.push(`${nameOf(key)} was revoked, and counts here: revoke it.`);
  }
  const grants = isNew ? user.grants : [];
  if (!isNew && !hasAll(await listGrants(reader, id), user.grants)) {
    notes.push(`The user ${user.name} stands with other grants than the backup tells: look at them.`);
  }
  const counts = { users: isNew ? 1 : 0, access_keys: keys.length, grants: grants.length };
  return { isNew, keys, grants, counts, notes };

  function nameOf({ accessKey }: { readonly accessKey: string }): string {
    return `the access key ${accessKey} of ${user.name}`;
  }
}

function hasAll(standing: readonly Grant[], told: KeptUser['grants']): boolean {
  const texts = new Map(standing.map(({ bucket, permissions }) => [bucket, permissions.join(',')]));
  return told.every(({ bucket, permissions }) => texts.get(bucket) === permissions.join(','));
}

/** Enters what {@link planUser} gives. */
export const restoreUser = transaction(
  import.meta.url,
  'restoreUser',
  async (tx, { id, user, sealed, cause }: RestoreUser): Promise<RestoredSetting> => {
    await lockUserNames(tx);
    const { isNew, keys, grants, counts, notes } = await planUser(tx, { id, user, sealed });
    if (!isNew && keys.length === 0) return { counts, notes };
    const named = { id, name: user.name };
    if (isNew) {
      const statement = 'insert into users (id, name, is_admin, version, created_at) values (?, ?, ?, 1, ?)';
      await tx.run(statement, [id, user.name, user.isAdmin ? 1 : 0, user.createdAtMs]);
      const told = { is_admin: user.isAdmin, grants: grants.length, restored: true };
      await noteOnUser(tx, named, cause, 'user.create', told);
    } else await holdUser(tx, id);
    for (const { accessKey, label, createdAtMs, revokedAtMs } of keys) {
      const secret = revokedAtMs === null ? sealed[accessKey]! : null;
      await tx.run(
        `insert into access_keys (access_key, user_id, sealed_secret, label, created_at, revoked_at)
         values (?, ?, ?, ?, ?, ?)`,
        [accessKey, id, secret, label, createdAtMs, revokedAtMs],
      );
      await noteOnUser(tx, named, cause, 'key.create', { access_key: accessKey, label, restored: true });
    }
    for (const { bucket, permissions, updatedAtMs } of grants) {
      await tx.run('insert into grants (user_id, bucket, permissions, updated_at) values (?, ?, ?, ?)', [
        id,
        bucket,
        formatPermissions(permissions as Permission[]),
        updatedAtMs,
      ]);
    }
    return { counts, notes };
  },
);

import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Reader } from '../../kernel/store/store.ts';
import type { Permission } from './access.ts';
import { parsePermissions } from './permission-list.ts';
import type { AccessKeyRow, GrantRow, UserRow } from './tables.ts';

/** A user with what the API tells of it. */
export interface UserRecord {
  readonly id: string;
  readonly name: string;
  /** An admin may do in every bucket what its owner may. */
  readonly isAdmin: boolean;
  readonly createdAtMs: number;
}

/** An access key without its secret. */
export interface KeyRecord {
  readonly accessKey: string;
  readonly userId: string;
  readonly userName: string;
  readonly label: string;
  readonly createdAtMs: number;
  readonly revokedAtMs: number | null;
  /** To about a minute. */
  readonly lastUsedAtMs: number | null;
}

export interface Grant {
  readonly bucket: string;
  readonly permissions: readonly Permission[];
}

/** How many grants a user has at most, so that all of them can be kept in memory. */
export const grantsMax = 1_000;

const userColumns = 'id, name, is_admin, version, created_at';
const keyColumns = `access_keys.access_key, access_keys.user_id, access_keys.label, access_keys.created_at,
  access_keys.revoked_at, access_keys.last_used_at, users.name as user_name`;
type KeyRow = Omit<AccessKeyRow, 'sealed_secret'> & { readonly user_name: string };

/** A user by id or name; `null` when there is none. */
export async function findUser(reader: Reader, reference: string): Promise<UserRecord | null> {
  const statement = `select ${userColumns} from users where id = ? or name = ?`;
  const [row] = await reader.rows<UserRow>(statement, [reference, reference]);
  return row === undefined ? null : toUser(row);
}

/** Like {@link findUser}. Throws `not_found`. */
export async function requireUser(reader: Reader, reference: string): Promise<UserRecord> {
  const user = await findUser(reader, reference);
  if (user !== null) return user;
  throw new HoldfastError('not_found', `There is no user ${reference.slice(0, 200)}.`);
}

/** Users in the order of their making, at most `limit`. */
export async function listUsers(
  reader: Reader,
  page: { readonly afterId?: string | undefined; readonly limit: number },
): Promise<UserRecord[]> {
  const statement = `select ${userColumns} from users where id > ? order by id limit ?`;
  return (await reader.rows<UserRow>(statement, [page.afterId ?? '', page.limit])).map(toUser);
}

/** All grants of a user, by bucket; at most {@link grantsMax}. */
export async function listGrants(reader: Reader, userId: string): Promise<Grant[]> {
  const statement = 'select bucket, permissions from grants where user_id = ? order by bucket limit ?';
  const rows = await reader.rows<Pick<GrantRow, 'bucket' | 'permissions'>>(statement, [userId, grantsMax]);
  return rows.map(({ bucket, permissions }) => ({ bucket, permissions: parsePermissions(permissions) }));
}

export interface KeyPage {
  readonly userId?: string | undefined;
  /** Only keys that came after this one. */
  readonly after?: { readonly createdAtMs: number; readonly accessKey: string } | undefined;
  readonly limit: number;
}

/** Access keys, revoked ones too, oldest first, at most `limit`. Secrets are not among what can be listed. */
export async function listKeys(reader: Reader, { userId, after, limit }: KeyPage): Promise<KeyRecord[]> {
  const ofUser = userId === undefined ? '' : 'and access_keys.user_id = ?';
  const statement = `select ${keyColumns} from access_keys join users on users.id = access_keys.user_id
    where (access_keys.created_at, access_keys.access_key) > (?, ?) ${ofUser}
    order by access_keys.created_at, access_keys.access_key limit ?`;
  const begin = [after?.createdAtMs ?? -1, after?.accessKey ?? ''];
  const rows = await reader.rows<KeyRow>(statement, [...begin, ...(userId === undefined ? [] : [userId]), limit]);
  return rows.map((row) => ({
    accessKey: row.access_key,
    userId: row.user_id,
    userName: row.user_name,
    label: row.label,
    createdAtMs: row.created_at,
    revokedAtMs: row.revoked_at,
    lastUsedAtMs: row.last_used_at,
  }));
}

/** The sealed secret and the user of a key that is not revoked. */
export async function findSealedKey(
  reader: Reader,
  accessKey: string,
): Promise<{ readonly userId: string; readonly userName: string; readonly sealedSecret: string } | null> {
  const statement = `select access_keys.user_id, access_keys.sealed_secret, users.name as user_name
    from access_keys join users on users.id = access_keys.user_id
    where access_keys.access_key = ? and access_keys.revoked_at is null`;
  const [row] = await reader.rows<Pick<AccessKeyRow, 'user_id' | 'sealed_secret'> & { readonly user_name: string }>(
    statement,
    [accessKey],
  );
  if (row === undefined || row.sealed_secret === null) return null;
  return { userId: row.user_id, userName: row.user_name, sealedSecret: row.sealed_secret };
}

function toUser(row: UserRow): UserRecord {
  return { id: row.id, name: row.name, isAdmin: row.is_admin === 1, createdAtMs: row.created_at };
}

import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { appendEvent } from '../../../kernel/events/event.ts';
import type { Tx } from '../../../kernel/store/store.ts';
import { type UserRecord, findUser, requireUser } from '../queries.ts';

/** Who changes something, and when. */
export interface Cause {
  readonly actor: string;
  readonly nowMs: number;
}

export interface NewUser {
  readonly id: string;
  readonly name: string;
  readonly isAdmin: boolean;
}

/** Excludes others that make users. Take it before anything else. */
export async function lockUserNames(tx: Tx): Promise<void> {
  await tx.lock('object-users');
}

/** Enters a user. Names are locked by the caller. Throws `invalid` for a name that is none, `conflict` for one in use. */
export async function insertUser(tx: Tx, user: NewUser, cause: Cause): Promise<UserRecord> {
  const { id, name, isAdmin } = user;
  // A name that looks like an id could stand for somebody else.
  if (!/^[\w.@-]{1,100}$/.test(name) || name.startsWith('usr-')) {
    const message = `A user's name has 1 to 100 letters, digits, ".", "_", "@" and "-", and does not begin with "usr-".`;
    throw new HoldfastError('invalid', message, { field: 'name', provided_value: name.slice(0, 100) });
  }
  if ((await findUser(tx, name)) !== null) {
    throw new HoldfastError('conflict', `A user named ${name} exists already.`, { field: 'name' });
  }
  const statement = 'insert into users (id, name, is_admin, version, created_at) values (?, ?, ?, 1, ?)';
  await tx.run(statement, [id, name, isAdmin ? 1 : 0, cause.nowMs]);
  const created: UserRecord = { id, name, isAdmin, createdAtMs: cause.nowMs };
  await noteOnUser(tx, created, cause, 'user.create', { is_admin: isAdmin });
  return created;
}

/** Finds a user by id or name and excludes other changes of it until this transaction ends. Throws `not_found`. */
export async function holdUser(tx: Tx, reference: string): Promise<UserRecord> {
  const user = await requireUser(tx, reference);
  await tx.run('update users set version = version + 1 where id = ?', [user.id]);
  return user;
}

/** Writes an event of a user that this transaction has made or holds. Nothing secret may be in `data`. */
export async function noteOnUser(
  tx: Tx,
  user: Pick<UserRecord, 'id' | 'name'>,
  cause: Cause,
  type: 'user.create' | 'key.create' | 'key.revoke' | 'grant.set' | 'grant.remove',
  data: Readonly<Record<string, unknown>>,
): Promise<void> {
  await appendEvent(tx, {
    resource: `user:${user.id}`,
    type,
    data: { user_id: user.id, name: user.name, ...data },
    operationId: null,
    actor: cause.actor,
    createdAtMs: cause.nowMs,
  });
}

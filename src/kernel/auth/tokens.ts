import { createHash, randomBytes } from 'node:crypto';
import { HoldfastError } from '../errors/errors.ts';
import { type Role, roles } from '../http/contract.ts';
import type { Caller } from '../http/authorizer.ts';
import type { Reader } from '../store/store.ts';
import { transaction } from '../store/transaction.ts';

export interface Token {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly createdAtMs: number;
  readonly revokedAtMs: number | null;
}

const prefix = 'hf_';

/** A new secret with 256 bits, shown once. Its hash is all that is stored; so long a secret needs no slow hash. */
export function newSecret(): { secret: string; hash: string } {
  const secret = prefix + randomBytes(32).toString('base64url');
  return { secret, hash: hashOf(secret) };
}

/** What is stored of a secret. */
export function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}

export interface NewToken {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly hash: string;
  readonly nowMs: number;
}

/** Enters a token. Throws `invalid` for a role that tokens do not have, `conflict` for a name in use. */
export const createToken = transaction(import.meta.url, 'createToken', async (tx, token: NewToken): Promise<void> => {
  const { id, name, role, hash, nowMs } = token;
  if (role === 'public' || !roles.includes(role)) {
    throw new HoldfastError('invalid', `A token's role is viewer, operator or admin, not "${role}".`, {
      field: 'role',
      provided_value: role,
    });
  }
  if (!/^[\w.@-]{1,100}$/.test(name)) {
    throw new HoldfastError('invalid', 'A token\'s name has 1 to 100 letters, digits, ".", "_", "@" and "-".', {
      field: 'name',
    });
  }
  const taken = await tx.rows('select id from tokens where name = ? and revoked_at is null', [name]);
  if (taken.length > 0) throw new HoldfastError('conflict', `A token named ${name} exists already.`, { field: 'name' });
  await tx.run('insert into tokens (id, name, role, hash, created_at) values (?, ?, ?, ?, ?)', [
    id,
    name,
    role,
    hash,
    nowMs,
  ]);
});

/** Ends a token, named by id or name, from the next request on. Throws `not_found`. */
export const revokeToken = transaction(
  import.meta.url,
  'revokeToken',
  async (tx, { reference, nowMs }: { readonly reference: string; readonly nowMs: number }): Promise<void> => {
    const statement = 'update tokens set revoked_at = ? where (id = ? or name = ?) and revoked_at is null';
    const changed = await tx.run(statement, [nowMs, reference, reference]);
    if (changed === 0) throw new HoldfastError('not_found', `There is no token ${reference}.`);
  },
);

/** All tokens, revoked ones too, oldest first. Secrets are not among what can be read. */
export async function listTokens(reader: Reader): Promise<Token[]> {
  const rows = await reader.db.selectFrom('tokens').selectAll().orderBy('id').execute();
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    role: row.role as Role,
    createdAtMs: row.created_at,
    revokedAtMs: row.revoked_at,
  }));
}

/** Whether any token is valid. */
export async function hasTokens(reader: Reader): Promise<boolean> {
  return (await reader.rows('select id from tokens where revoked_at is null limit 1', [])).length > 0;
}

/** Whose token that is; `null` when it is unknown or revoked. */
export async function findToken(reader: Reader, secret: string): Promise<Caller | null> {
  if (!secret.startsWith(prefix)) return null;
  const [row] = await reader.rows<{ id: string; name: string; role: Role }>(
    'select id, name, role from tokens where hash = ? and revoked_at is null',
    [hashOf(secret)],
  );
  return row === undefined ? null : { id: row.id, name: row.name, role: row.role };
}

import Type, { type Static } from 'typebox';
import Value from 'typebox/value';
import type { Setting } from '../../kernel/backups/settings.ts';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Sealer } from '../../kernel/secrets/sealer.ts';
import type { Reader } from '../../kernel/store/store.ts';
import { sealedAbout } from './credentials.ts';
import { grantsMax } from './queries.ts';
import type { AccessKeyRow, GrantRow, UserRow } from './tables.ts';

/** Keys of one user that are kept: those in use first, then the last that were revoked. */
const keysMax = 10_000;

const text = Type.String({ maxLength: 1_000 });
const time = Type.Integer({ minimum: 0 });
const keptUserSchema = Type.Object({
  name: text,
  isAdmin: Type.Boolean(),
  createdAtMs: time,
  keys: Type.Array(
    Type.Object({ accessKey: text, label: text, createdAtMs: time, revokedAtMs: Type.Union([time, Type.Null()]) }),
  ),
  grants: Type.Array(
    Type.Object({ bucket: text, permissions: Type.Array(text, { maxItems: 20 }), updatedAtMs: time }),
    { maxItems: grantsMax },
  ),
});

/** A user with keys and grants, as a backup keeps it. The secrets of its keys go beside it, by access keys. */
export type KeptUser = Static<typeof keptUserSchema>;

/** `null` for what is none. */
export function parseKeptUser(value: unknown): KeptUser | null {
  return Value.Check(keptUserSchema, value) ? value : null;
}

/** `null` when there is no such user. Throws `conflict` for one with more keys in use than can be kept. */
export async function readKeptUser(reader: Reader, sealer: Sealer, id: string): Promise<Setting | null> {
  const [user] = await reader.rows<UserRow>('select * from users where id = ?', [id]);
  if (user === undefined) return null;
  const keys = await reader.rows<AccessKeyRow>(
    `select * from access_keys where user_id = ?
     order by case when revoked_at is null then 0 else 1 end, created_at desc, access_key limit ?`,
    [id, keysMax + 1],
  );
  if (keys[keysMax]?.revoked_at === null) {
    throw new HoldfastError('conflict', `The user ${user.name} has more than ${keysMax} access keys in use.`);
  }
  const grants = await reader.rows<GrantRow>('select * from grants where user_id = ? order by bucket', [id]);
  const value: KeptUser = {
    name: user.name,
    isAdmin: user.is_admin === 1,
    createdAtMs: user.created_at,
    keys: keys.slice(0, keysMax).map((row) => ({
      accessKey: row.access_key,
      label: row.label,
      createdAtMs: row.created_at,
      revokedAtMs: row.revoked_at,
    })),
    grants: grants.map(({ bucket, permissions, updated_at: updatedAtMs }) => ({
      bucket,
      permissions: permissions === '' ? [] : permissions.split(','),
      updatedAtMs,
    })),
  };
  const inUse = keys.filter((row) => row.revoked_at === null && row.sealed_secret !== null);
  const secrets: Record<string, string> = {};
  for (const { access_key: accessKey, sealed_secret: sealed } of inUse) {
    const secret = openIfRight(sealer, sealed!, accessKey);
    if (secret !== null) secrets[accessKey] = secret;
  }
  return { id, value, secrets };
}

/** One key that cannot be opened, and so cannot be used, is told as one without a secret; the others are kept. */
function openIfRight(sealer: Sealer, sealed: string, accessKey: string): string | null {
  try {
    return sealer.open(sealed, sealedAbout(accessKey));
  } catch {
    return null;
  }
}

import { type SettingsKind, leftOut } from '../../kernel/backups/settings.ts';
import type { Sealer } from '../../kernel/secrets/sealer.ts';
import type { Permission } from './access.ts';
import { planUser, restoreUser } from './changing/restore-user.ts';
import { isAccessKey, sealedAbout } from './credentials.ts';
import { type KeptUser, parseKeptUser, readKeptUser } from './kept-user.ts';
import { parsePermissions, requireGrantBucket } from './permission-list.ts';
import { accessTopic } from './topic.ts';

const prefix = 'user:';
const idPrefix = 'usr-';

/** Users with their keys and grants, for backups of the ledger. */
export function userSettings(sealer: Sealer): SettingsKind {
  return {
    kind: 'user',
    idOf: (resource) => (resource.startsWith(prefix) ? resource.slice(prefix.length) : null),
    idsAfter: async (reader, after, limit) => {
      const statement = 'select id from users where id > ? order by id limit ?';
      return (await reader.rows<{ id: string }>(statement, [after, limit])).map(({ id }) => id);
    },
    read: (reader, id) => readKeptUser(reader, sealer, id),
    restore: async (store, { id, value, secrets }, { isDryRun, nowMs }) => {
      const user = parseKeptUser(value);
      if (user === null || !isUser(id, user)) return leftOut(`What the backup tells of the user ${id} is no user.`);
      const kept = Object.entries(secrets).map(([key, secret]) => [key, sealer.seal(secret, sealedAbout(key))]);
      const sealed = Object.fromEntries(kept) as Record<string, string>;
      if (isDryRun) {
        const { counts, notes } = await store.read((reader) => planUser(reader, { id, user, sealed }));
        return { counts, notes };
      }
      const cause = { actor: 'holdfast', nowMs };
      try {
        return await store.write(restoreUser, { id, user, sealed, cause });
      } finally {
        store.publish(accessTopic, '');
      }
    },
  };
}

/** Whether all of it is what could have been made here: a word that is no permission changes what a grant means. */
function isUser(id: string, { name, keys, grants }: KeptUser): boolean {
  try {
    for (const { bucket, permissions } of grants) {
      requireGrantBucket(bucket);
      parsePermissions((permissions as Permission[]).join(','));
    }
  } catch {
    return false;
  }
  const isNamed = id.startsWith(idPrefix) && /^[\w.@-]{1,100}$/.test(name) && !name.startsWith(idPrefix);
  return isNamed && keys.every(({ accessKey }) => isAccessKey(accessKey));
}

import Type from 'typebox';
import Value from 'typebox/value';
import { type SettingsKind, leftOut } from '../../../kernel/backups/settings.ts';
import type { BackendRow } from '../../tables.ts';
import { secretsAbout } from '../settings.ts';

const keptBackendSchema = Type.Object({
  kind: Type.String({ maxLength: 100 }),
  labels: Type.Record(Type.String(), Type.String()),
});
const prefix = secretsAbout('');
const standing = 'select * from object_backends where name = ?';

/**
 * Which backends there were, for backups of the ledger. Nothing of them is entered: a ledger is rebuilt from backends that
 * somebody has added. Those that are missing then, or have other labels, are told, with how they were reached; not with secrets.
 */
export const backendNotes: SettingsKind = {
  kind: 'object-backend',
  idOf: (resource) => (resource.startsWith(prefix) ? resource.slice(prefix.length) : null),
  idsAfter: async (reader, after, limit) => {
    const statement = 'select name from object_backends where name > ? order by name limit ?';
    return (await reader.rows<{ name: string }>(statement, [after, limit])).map(({ name }) => name);
  },
  read: async (reader, id) => {
    const [row] = await reader.rows<BackendRow>(standing, [id]);
    if (row === undefined) return null;
    const value = { kind: row.kind, labels: JSON.parse(row.labels) as Record<string, string> };
    return { id, value, secrets: { config: row.config } };
  },
  restore: async (store, { id, value, secrets: { config } }) => {
    if (!Value.Check(keptBackendSchema, value))
      return leftOut(`What the backup tells of the backend ${id} is no backend.`);
    const labels = listed(value.labels);
    const [row] = await store.read((reader) => reader.rows<BackendRow>(standing, [id]));
    if (row === undefined) {
      const settings = config === undefined ? 'not kept' : listed(JSON.parse(config) as Record<string, string>);
      return leftOut(
        `The backend ${id} is not here; it was of kind ${value.kind}, with settings ${settings} and labels ${labels}.`,
      );
    }
    const now = listed(JSON.parse(row.labels) as Record<string, string>);
    return now === labels ? { counts: {}, notes: [] } : leftOut(`The backend ${id} had other labels: ${labels}.`);
  },
};

function listed(values: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(values).map(([name, text]) => `${name}=${String(text)}`);
  return pairs.length === 0 ? 'none' : pairs.sort().join(' ');
}

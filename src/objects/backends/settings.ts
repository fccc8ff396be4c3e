import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Sealer } from '../../kernel/secrets/sealer.ts';
import type { BackendRow } from '../tables.ts';
import type { BackendSettings, ObjectBackendKind } from './backend.ts';

/** The settings of a backend's row, with its secrets opened. Throws `internal` when they cannot be. */
export function settingsOf(row: Pick<BackendRow, 'name' | 'config' | 'secrets'>, sealer: Sealer): BackendSettings {
  const config = JSON.parse(row.config) as Record<string, string>;
  if (row.secrets === null) return { config, secrets: {} };
  const secrets = JSON.parse(sealer.open(row.secrets, secretsAbout(row.name))) as Record<string, string>;
  return { config, secrets };
}

/** Secrets as the row keeps them; `null` for none. */
export function sealSecrets(sealer: Sealer, name: string, secrets: BackendSettings['secrets']): string | null {
  if (Object.keys(secrets).length === 0) return null;
  return sealer.seal(JSON.stringify(secrets), secretsAbout(name));
}

/** Throws `invalid` with the kinds that there are. */
export function requireKind(kinds: ReadonlyMap<string, ObjectBackendKind>, kind: string): ObjectBackendKind {
  const found = kinds.get(kind);
  if (found !== undefined) return found;
  throw new HoldfastError('invalid', `There is no kind of backend named "${kind.slice(0, 100)}".`, {
    field: 'kind',
    provided_value: kind.slice(0, 100),
    allowed_values: [...kinds.keys()],
  });
}

/** What the sealed text belongs to, so that it opens for no other backend. */
export function secretsAbout(name: string): string {
  return `object-backend:${name}`;
}

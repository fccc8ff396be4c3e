import { HoldfastError } from '../../kernel/errors/errors.ts';
import { type Permission, permissions } from './access.ts';

/** Stands for every bucket that has no grant of its own. */
export const everyBucket = '*';

/** The text of a set of permissions as grants keep it: each once, in the order of `permissions`. */
export function formatPermissions(list: readonly Permission[]): string {
  return permissions.filter((permission) => list.includes(permission)).join(',');
}

/**
 * Permissions from a text with commas between them; no text is no permission. Throws `invalid` for a word that is none:
 * also from the store, since passing over a word would change what it means.
 */
export function parsePermissions(text: string): readonly Permission[] {
  const words = text === '' ? [] : text.split(',').map((word) => word.trim());
  const list: readonly string[] = permissions;
  const wrong = words.find((word) => !list.includes(word));
  if (wrong !== undefined) {
    const message = `"${wrong.slice(0, 100)}" is not a permission; there are ${permissions.join(', ')}.`;
    throw new HoldfastError('invalid', message, { field: 'permissions' });
  }
  return permissions.filter((permission) => words.includes(permission));
}

/** Checks the bucket of a grant: `*`, or what can be a bucket's name. The bucket need not exist yet. Throws `invalid`. */
export function requireGrantBucket(bucket: string): void {
  if (bucket === everyBucket || /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) return;
  const message = `A grant is for a bucket's name or for "${everyBucket}", not for "${bucket.slice(0, 100)}".`;
  throw new HoldfastError('invalid', message, { field: 'bucket', provided_value: bucket.slice(0, 100) });
}

import { DatabaseSync } from 'node:sqlite';
import { HoldfastError } from '../../errors/errors.ts';
import { sqliteError } from './errors.ts';

/**
 * Holds a side file locked for as long as this process lives. The kernel frees it at the instant of death, `kill -9`
 * included, so that a successor knows at once that every operation on record has lost its owner.
 *
 * Throws `conflict` when another process holds it.
 */
export function lockForLife(path: string): { release(): void } {
  let file: DatabaseSync;
  try {
    file = new DatabaseSync(path, { timeout: 0 });
    file.exec('begin exclusive');
  } catch (error) {
    if ((error as { errcode?: number }).errcode === 5) {
      throw new HoldfastError(
        'conflict',
        `Another Holdfast server is already running on this data directory (${path} is locked).`,
      );
    }
    throw sqliteError(error, path);
  }
  return { release: () => file.close() };
}

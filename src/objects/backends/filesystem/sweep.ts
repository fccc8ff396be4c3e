import { opendir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ownerState } from './owner-tag.ts';
import { errnoOf } from './problem.ts';

/** How long a temporary file of an unknown process is left alone after its last write, in milliseconds. */
const STRANGER_AGE_MS = 86_400_000;

/**
 * Removes temporary files whose process is gone. A file of a process that cannot be looked up goes when it was not
 * written to for a day, which no put lives through. Gives how many it removed.
 */
export async function sweepTemporary(directory: string, nowMs = Date.now()): Promise<number> {
  let removed = 0;
  for await (const { name } of await opendir(directory)) {
    const state = ownerState(name);
    if (state === 'alive') continue;
    const path = join(directory, name);
    try {
      if (state === 'unknown' && nowMs - (await stat(path)).mtimeMs < STRANGER_AGE_MS) continue;
      await unlink(path);
      removed++;
    } catch (error) {
      // Another process sweeps too.
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  }
  return removed;
}

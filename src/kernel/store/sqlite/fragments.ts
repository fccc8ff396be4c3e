import type { SqlFragments } from '../store.ts';

/** One writer at a time makes row locks needless. */
export const sqliteFragments: SqlFragments = {
  nowMs: `cast(unixepoch('subsec') * 1000 as integer)`,
  forUpdate: '',
  forUpdateSkipLocked: '',
};

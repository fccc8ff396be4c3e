import { HoldfastError } from '../../errors/errors.ts';

/** Primary result codes of SQLite (https://www.sqlite.org/rescode.html) that mean the engine, not the statement, failed. */
const sentences: Readonly<Record<number, string>> = {
  5: 'the database file is locked by another process',
  7: 'the database ran out of memory',
  8: 'the database file or its directory is read-only',
  10: 'reading or writing the database file failed',
  11: 'the database file is damaged',
  13: 'the disk that holds the database is full',
  14: 'the database file cannot be opened',
  26: 'the file is not a SQLite database',
};

/** An engine failure as `unavailable` with one sentence; anything else unchanged. */
export function sqliteError(error: unknown, path?: string, outcome: 'none' | 'unknown' = 'none'): unknown {
  const code = (error as { errcode?: unknown } | null)?.errcode;
  if (typeof code !== 'number') return error;
  const sentence = sentences[code & 0xff];
  if (sentence === undefined) return error;
  return new HoldfastError(
    'unavailable',
    `The store is unavailable: ${sentence}${path ? ` (${path})` : ''}.`,
    { outcome },
    error,
  );
}

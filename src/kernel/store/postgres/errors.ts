import { HoldfastError } from '../../errors/errors.ts';

/** SQLSTATE classes (PostgreSQL documentation, appendix A) in which the server, not the statement, is the reason. */
const unavailableClasses = new Set(['08', '53', '57', '58', 'XX']);
const unavailableSystemCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT',
]);
/** Somebody held a row or a lock for longer than we wait. */
const lockTimeout = '55P03';
const loginClasses = new Set(['28', '3D']);
/** Text with a NUL character, which PostgreSQL cannot hold and SQLite can: the request's fault. */
const unusableText = new Set(['22021', '22P05']);

/** Whether the same transaction may simply be run again: a deadlock, or a serialization failure. */
export function isRetryable(error: unknown): boolean {
  const code = codeOf(error);
  return code === '40001' || code === '40P01';
}

/** What came in each other's way too often; nothing was changed. */
export function contentionError(cause: unknown): HoldfastError {
  const message = 'The store is unavailable: too many changes come in the way of each other.';
  return new HoldfastError('unavailable', message, { outcome: 'none' }, cause);
}

export function closedError(): HoldfastError {
  return new HoldfastError('unavailable', 'The store is unavailable: it is closed.', { outcome: 'none' });
}

/**
 * A failure of the engine or the way to it as `unavailable` with one sentence, text that it cannot hold as `invalid`;
 * anything else unchanged.
 */
export function postgresError(error: unknown, outcome: 'none' | 'unknown'): unknown {
  if (error instanceof HoldfastError) return error;
  const code = codeOf(error);
  if (unusableText.has(code)) return new HoldfastError('invalid', 'Text must not have a NUL character.', {}, error);
  const message = error instanceof Error && error.message !== '' ? error.message : code;
  const isLost = /terminated|timeout|not queryable|connection error/i.test(message);
  const isEngine =
    unavailableSystemCodes.has(code) ||
    unavailableClasses.has(code.slice(0, 2)) ||
    loginClasses.has(code.slice(0, 2)) ||
    code === lockTimeout ||
    isLost;
  if (!isEngine) return error;
  return new HoldfastError(
    'unavailable',
    `The store is unavailable: PostgreSQL says "${message}".`,
    { outcome },
    error,
  );
}

function codeOf(error: unknown): string {
  const { code, errors } = (error ?? {}) as { code?: unknown; errors?: unknown[] };
  if (typeof code === 'string') return code;
  // Node tries every address of a name and reports them together.
  return Array.isArray(errors) && errors.length > 0 ? codeOf(errors[0]) : '';
}

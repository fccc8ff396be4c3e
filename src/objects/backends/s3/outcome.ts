import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { isBackendFault } from '../backend.ts';

/** Whether a connection broke before an answer came. A refused one, or a deadline, is something else. */
export function isConnectionLost(error: unknown): boolean {
  if (!(error instanceof HoldfastError) || error.kind !== 'unavailable') return false;
  const code = error.details['code'];
  return code === undefined ? error.cause === null : code === 'ECONNRESET' || code === 'EPIPE';
}

/** What fails before anything was sent. */
const unsentCodes: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

/** Whether the server may have done what it was asked although no good answer came. */
export function isOutcomeUnknown(error: unknown): boolean {
  if (!(error instanceof HoldfastError) || !isBackendFault(error)) return false;
  const { status, code } = error.details;
  if (error.kind === 'unavailable') return !unsentCodes.has(code);
  return typeof status !== 'number' || status >= 500;
}

/** The error, saying that the outcome is unknown where it is. A caller's own reason stays as it is. */
export function withOutcome(error: unknown): unknown {
  if (!(error instanceof HoldfastError) || !isOutcomeUnknown(error)) return error;
  return new HoldfastError(error.kind, error.message, { ...error.details, outcome: 'unknown' }, error.cause);
}

import { HoldfastError } from '../../../kernel/errors/errors.ts';

const RETRY_AFTER_MAX_MS = 3_600_000;

/** An answer that was not the one hoped for, as an error of the domain. */
export interface Refusal {
  /** Who answered, for people: `The WebDAV server at files.example`. */
  readonly who: string;
  /** What was asked, for people: `PUT`. */
  readonly what: string;
  readonly status: number;
  readonly retryAfter?: string | undefined;
  readonly location?: string | undefined;
}

/** What a status of HTTP means for a caller of a backend. Nothing of the request but its method is repeated. */
export function refusalError(refusal: Refusal): HoldfastError {
  const { who, what, status } = refusal;
  const details = { status };
  const backend = (sentence: string, more = {}) => new HoldfastError('backend', sentence, { ...details, ...more });
  if (status >= 300 && status < 400) return redirectError(refusal);
  if (status === 401) return backend(`${who} refuses the credentials (401).`, { reason: 'credentials' });
  if (status === 403) return backend(`${who} does not allow ${what} (403).`, { reason: 'forbidden' });
  if (status === 405 || status === 501) return backend(`${who} does not know ${what} here (${status}).`);
  if (status === 413) return backend(`${who} takes no blob of this size (413).`, { reason: 'too_large' });
  if (status === 423)
    return backend(`${who} says that the blob is locked by somebody else (423).`, { reason: 'locked' });
  if (status === 507) return backend(`${who} has no room left (507).`, { reason: 'full' });
  if (status === 429 || (status === 503 && refusal.retryAfter !== undefined)) return overloadedError(refusal);
  return backend(`${who} answered ${what} with status ${status}.`);
}

function redirectError({ who, what, status, location }: Refusal): HoldfastError {
  const target = location === undefined ? null : URL.parse(location, 'http://same-server');
  const place =
    target === null ? 'another place' : `${target.host === 'same-server' ? '' : target.origin}${target.pathname}`;
  const sentence = `${who} redirects ${what} to ${place} (${status}); redirects are not followed, set the URL itself.`;
  return new HoldfastError('backend', sentence, { status, reason: 'redirect' });
}

function overloadedError({ who, status, retryAfter }: Refusal): HoldfastError {
  const waitMs = retryAfter === undefined ? null : retryAfterMs(retryAfter);
  const details = { status, ...(waitMs === null ? {} : { retry_after_ms: waitMs }) };
  return new HoldfastError('overloaded', `${who} asks to slow down (${status}).`, details);
}

/** RFC 9110 §10.2.3: seconds, or a date. */
function retryAfterMs(text: string): number | null {
  const waitMs = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isNaN(waitMs) ? null : Math.min(Math.max(waitMs, 0), RETRY_AFTER_MAX_MS);
}

/** A connection that could not be made, or that broke, as an error of the domain. */
export function connectionError(who: string, cause: unknown): HoldfastError {
  const code = codeOf(cause);
  if (code?.startsWith('HPE_')) return new HoldfastError('backend', `${who} does not answer in HTTP.`, { code }, cause);
  const why = code === null ? 'the connection broke' : code;
  return new HoldfastError('unavailable', `${who} cannot be reached (${why}).`, code === null ? {} : { code }, cause);
}

export function codeOf(error: unknown): string | null {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : null;
}

import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { parseHttpDate } from '../../s3/signature/amz-date.ts';

const RETRY_AFTER_MAX_MS = 3_600_000;

/** An answer that was not the one hoped for. */
export interface Refusal {
  /** Who answered, for people: `The S3 server at s3.example`. */
  readonly who: string;
  readonly bucket: string;
  /** What was asked, for people: `PUT`. */
  readonly what: string;
  readonly status: number;
  /** The code of S3, `null` where there was none. */
  readonly code: string | null;
  /** The region that the server wants, where it tells. */
  readonly region: string | null;
  readonly retryAfter: string | undefined;
  readonly date: string | undefined;
  /** Whether the answer had a body that was not an error of S3: something in between answered. */
  readonly isStranger: boolean;
}

const slowDown = new Set(['SlowDown', 'SlowDownRead', 'SlowDownWrite', 'TooManyRequests', 'RequestLimitExceeded']);
const full = new Set(['QuotaExceeded', 'InsufficientStorage', 'XMinioStorageFull', 'StorageQuotaExceeded']);
const wrongKeys = new Set(['InvalidAccessKeyId', 'SignatureDoesNotMatch', 'InvalidToken', 'ExpiredToken']);
const damaged = new Set(['BadDigest', 'XAmzContentSHA256Mismatch', 'IncompleteBody']);
const misdirected = new Set([
  'PermanentRedirect',
  'TemporaryRedirect',
  'Redirect',
  'AuthorizationHeaderMalformed',
  'IncorrectEndpoint',
  'IllegalLocationConstraintException',
]);

/**
 * What a refusal means for a caller of a backend
 * (codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html). Nothing of the request but its method, and of
 * the answer but its code, is repeated, so that no secret gets into a sentence.
 */
export function refusalError(refusal: Refusal): HoldfastError {
  const { who, bucket, what, status, code } = refusal;
  const said = `(${code ?? status})`;
  const details = { status, ...(code === null ? {} : { code }) };
  const backend = (sentence: string, reason: string): HoldfastError =>
    new HoldfastError('backend', `${who} ${sentence}`, { ...details, reason });
  const has = (codes: ReadonlySet<string>): boolean => code !== null && codes.has(code);
  if (code === 'RequestTimeTooSkewed') return backend(`${clockSentence(refusal.date)} ${said}.`, 'clock_skew');
  if (has(misdirected) || (status >= 300 && status < 400)) return redirectError(refusal);
  if (has(full) || status === 507) return backend(`has no room left in the bucket ${bucket} ${said}.`, 'full');
  if (has(slowDown) || status === 429 || isBusy(refusal)) return overloadedError(refusal, details);
  if (code === 'NoSuchBucket') return backend(`has no bucket ${bucket} ${said}.`, 'no_bucket');
  if (has(wrongKeys) || status === 401) return backend(`refuses the access key ${said}.`, 'credentials');
  if (has(damaged)) return backend(`got other bytes than were sent ${said}.`, 'damaged');
  if (status === 403 || code === 'AccessDenied')
    return backend(`does not allow ${what} in the bucket ${bucket} ${said}.`, 'forbidden');
  if (code === 'KeyTooLongError') {
    return new HoldfastError('invalid', `The key is too long for an S3 server, with its prefix ${said}.`, details);
  }
  if (code === 'EntityTooLarge' || status === 413) return backend(`takes no blob of this size ${said}.`, 'too_large');
  if (code === 'RequestTimeout') {
    return new HoldfastError(
      'unavailable',
      `${who} did not get the content in the time that it allows ${said}.`,
      details,
    );
  }
  if (code === 'NotImplemented' || status === 501 || status === 405) {
    return new HoldfastError('unsupported', `${who} does not know how to ${what} this ${said}.`, details);
  }
  return new HoldfastError('backend', `${who} answered ${what} with ${code ?? 'status'} (${status}).`, details);
}

/** A 503 that a proxy made up is a dead server; one of the server itself, or without a body, asks for patience. */
function isBusy({ status, isStranger, retryAfter }: Refusal): boolean {
  return status === 503 && (!isStranger || retryAfter !== undefined);
}

function overloadedError({ who, status, code, retryAfter }: Refusal, details: object): HoldfastError {
  const waitMs = retryAfter === undefined ? null : retryAfterMs(retryAfter);
  const wait = waitMs === null ? {} : { retry_after_ms: waitMs };
  return new HoldfastError('overloaded', `${who} asks to slow down (${code ?? status}).`, { ...details, ...wait });
}

/** RFC 9110 §10.2.3: seconds, or a date. */
function retryAfterMs(text: string): number | null {
  const waitMs = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isNaN(waitMs) ? null : Math.min(Math.max(waitMs, 0), RETRY_AFTER_MAX_MS);
}

/** Redirects are not followed: a signature holds for one host and region, and the credentials are not for another. */
function redirectError({ who, bucket, status, code, region }: Refusal): HoldfastError {
  const advice =
    region === null
      ? 'set the endpoint (and region) that the bucket belongs to'
      : `the bucket belongs to the region ${region}: set that region and its endpoint`;
  const sentence = `${who} sends requests for the bucket ${bucket} elsewhere (${code ?? status}); ${advice}.`;
  const details = { status, ...(code === null ? {} : { code }), ...(region === null ? {} : { region }) };
  return new HoldfastError('backend', sentence, { ...details, reason: 'redirect' });
}

function clockSentence(date: string | undefined): string {
  const serverMs = parseHttpDate(date ?? '');
  if (serverMs === undefined) return 'has a clock that is too far from ours';
  const apartSeconds = Math.round(Math.abs(serverMs - Date.now()) / 1000);
  return `has a clock that is ${apartSeconds} seconds ${serverMs > Date.now() ? 'ahead of' : 'behind'} ours`;
}

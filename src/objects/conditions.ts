import { objectError } from './errors.ts';

/** The conditions of a request (RFC 9110, 13.1). ETags are without quotes; `*` is any. */
export interface Conditions {
  readonly ifMatch?: readonly string[];
  readonly ifNoneMatch?: readonly string[];
  readonly ifModifiedSinceMs?: number;
  readonly ifUnmodifiedSinceMs?: number;
}

/** What conditions are about: the version that stands now, `null` when there is none or it is a delete marker. */
export interface Validators {
  readonly etag: string;
  readonly modifiedAtMs: number;
}

/**
 * Whether a read may go on: `ok`, `not_modified` (304), or `failed` (412). ETags take precedence over times (RFC 9110,
 * 13.2.2), and times have whole seconds, as `Last-Modified` has.
 */
export function checkRead(conditions: Conditions, current: Validators): 'ok' | 'not_modified' | 'failed' {
  const { ifMatch, ifNoneMatch, ifModifiedSinceMs, ifUnmodifiedSinceMs } = conditions;
  const modifiedMs = Math.floor(current.modifiedAtMs / 1000) * 1000;
  if (ifMatch !== undefined) {
    if (!matches(ifMatch, current.etag)) return 'failed';
  } else if (ifUnmodifiedSinceMs !== undefined && modifiedMs > ifUnmodifiedSinceMs) return 'failed';
  if (ifNoneMatch !== undefined) {
    if (matches(ifNoneMatch, current.etag)) return 'not_modified';
  } else if (ifModifiedSinceMs !== undefined && modifiedMs <= ifModifiedSinceMs) return 'not_modified';
  return 'ok';
}

/** Refuses a write whose conditions the current version does not meet. Throws 412, or 404 for `If-Match` on nothing. */
export function requireWritable(conditions: Conditions, current: Validators | null): void {
  const { ifMatch, ifNoneMatch } = conditions;
  if (ifMatch !== undefined) {
    if (current === null) throw objectError('NoSuchKey');
    if (!matches(ifMatch, current.etag)) throw objectError('PreconditionFailed', { condition: 'If-Match' });
  }
  if (ifNoneMatch !== undefined && current !== null && matches(ifNoneMatch, current.etag)) {
    throw objectError('PreconditionFailed', { condition: 'If-None-Match' });
  }
}

function matches(etags: readonly string[], etag: string): boolean {
  return etags.includes('*') || etags.includes(etag);
}

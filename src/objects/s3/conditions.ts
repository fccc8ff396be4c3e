import type { Conditions } from '../conditions.ts';
import { parseHttpTime } from './http-time.ts';

/** Where the headers of conditions stand: as they are, or about the source of a copy. */
export type ConditionPrefix = '' | 'x-amz-copy-source-';

/**
 * The conditions of a request (RFC 9110, 13.1). What is not a date is ignored, as the RFC wants it; ETags may lack their
 * quotes, as those of many clients do.
 */
export function parseConditions(
  header: (name: string) => string | undefined,
  prefix: ConditionPrefix = '',
): Conditions {
  const match = header(`${prefix}if-match`);
  const noneMatch = header(`${prefix}if-none-match`);
  const modified = header(`${prefix}if-modified-since`);
  const unmodified = header(`${prefix}if-unmodified-since`);
  if (match === undefined && noneMatch === undefined && modified === undefined && unmodified === undefined) return {};
  const modifiedMs = modified === undefined ? undefined : parseHttpTime(modified);
  const unmodifiedMs = unmodified === undefined ? undefined : parseHttpTime(unmodified);
  return {
    ...(match === undefined ? {} : { ifMatch: parseEtags(match, 'strong') }),
    ...(noneMatch === undefined ? {} : { ifNoneMatch: parseEtags(noneMatch, 'weak') }),
    ...(modifiedMs === undefined ? {} : { ifModifiedSinceMs: modifiedMs }),
    ...(unmodifiedMs === undefined ? {} : { ifUnmodifiedSinceMs: unmodifiedMs }),
  };
}

/**
 * A list of ETags without their quotes, or `*` alone. Ours are strong, so that a weak one equals them in the weak comparison
 * and never in the strong one, where it is left out (RFC 9110, 8.8.3.2).
 */
export function parseEtags(text: string, comparison: 'strong' | 'weak'): readonly string[] {
  const etags: string[] = [];
  for (const [, weak, quoted, bare] of text.matchAll(/(W\/)?(?:"([^"]*)"|([^\s",]+))/g)) {
    if (weak !== undefined && comparison === 'strong') continue;
    // A quoted star is an ETag, though none of ours; a bare one is any.
    const etag = bare ?? (quoted === '*' ? '' : (quoted ?? ''));
    if (etag !== '') etags.push(etag);
  }
  return etags;
}

import type { ObjectLock, Tags } from '../object.ts';
import { type StorageClass, coldnessOf } from '../storage-class.ts';
import type { LifecycleFilter, LifecycleRule } from '../s3/lifecycle-rules.ts';

/** A version as lifecycle rules look at it, with what they must know of the others of its key. */
export interface Judged {
  readonly key: string;
  readonly isLatest: boolean;
  readonly isMarker: boolean;
  readonly sizeBytes: number;
  readonly tags: Tags;
  readonly lock: ObjectLock | null;
  readonly storageClass: string;
  readonly modifiedAtMs: number;
  /** When a later version took its place; `null` for the latest. */
  readonly noncurrentAtMs: number | null;
  /** How many noncurrent versions of its key are newer; {@link newerCountMax} stands for that many or more. */
  readonly newerNoncurrent: number;
  /** Whether its key has no other version. */
  readonly isOnly: boolean;
}

/**
 * What becomes of a version: `expire` is what a client's removal of the key does, a delete marker where versions are kept;
 * `remove` removes this version for good; `transition` puts it into another storage class.
 */
export type Verdict = (
  | { readonly action: 'expire' | 'remove' }
  | { readonly action: 'transition'; readonly to: string }
) & {
  readonly ruleId: string;
  /** How many newer noncurrent versions of the key must stand for it to hold. */
  readonly newerNeeded: number;
};

/** As far as newer versions are counted: a rule keeps at most 100 of them. */
export const newerCountMax = 101;

const dayMs = 86_400_000;

/**
 * What the rules of a bucket demand of a version now; `null` for nothing. Pure. The first rule that ends it counts; when
 * none does, the coldest class to which any of them moves it, and never to a warmer one than it is in. `classes` are those
 * that there are, warmest first: what a rule says of others is passed by. Days count from the midnight, UTC, after the
 * moment from which they are counted
 * (https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html, "How S3 calculates how long").
 */
export function judge(
  rules: readonly LifecycleRule[],
  version: Judged,
  nowMs: number,
  classes: readonly Pick<StorageClass, 'name'>[] = [],
): Verdict | null {
  for (const rule of rules) {
    if (!rule.isEnabled || !fits(rule.filter, version)) continue;
    const action = demandOf(rule, version, nowMs);
    // What is locked stays, and may stand somewhere else.
    if (action === 'remove' && isLocked(version.lock, nowMs)) break;
    if (action === null) continue;
    const newerNeeded = version.noncurrentAtMs === null ? 0 : (rule.noncurrentExpiration?.versionsKept ?? 0);
    return { action, ruleId: rule.id, newerNeeded };
  }
  return judgeTransition(rules, version, nowMs, classes);
}

function judgeTransition(
  rules: readonly LifecycleRule[],
  version: Judged,
  nowMs: number,
  classes: readonly Pick<StorageClass, 'name'>[],
): Verdict | null {
  let coldest: Verdict | null = null;
  let reached = coldnessOf(classes, version.storageClass);
  for (const rule of version.isMarker ? [] : rules) {
    if (!rule.isEnabled || !fits(rule.filter, version)) continue;
    for (const { to, newerNeeded } of dueClasses(rule, version, nowMs)) {
      const coldness = coldnessOf(classes, to);
      if (coldness <= reached) continue;
      reached = coldness;
      coldest = { action: 'transition', to, ruleId: rule.id, newerNeeded };
    }
  }
  return coldest;
}

function dueClasses(
  rule: LifecycleRule,
  version: Judged,
  nowMs: number,
): { readonly to: string; readonly newerNeeded: number }[] {
  const { transitions = [], noncurrentTransitions = [] } = rule;
  const { noncurrentAtMs, newerNoncurrent } = version;
  if (noncurrentAtMs !== null) {
    return noncurrentTransitions
      .filter(({ days, versionsKept = 0 }) => dueAtMs(noncurrentAtMs, days) <= nowMs && newerNoncurrent >= versionsKept)
      .map(({ storageClass: to, versionsKept: newerNeeded = 0 }) => ({ to, newerNeeded }));
  }
  if (!version.isLatest) return [];
  return transitions
    .filter((one) => isDue(one, version, nowMs))
    .map(({ storageClass: to }) => ({ to, newerNeeded: 0 }));
}

/** Whether a lock keeps a version: a rule has no right to pass one by. */
function isLocked(lock: ObjectLock | null, nowMs: number): boolean {
  return lock !== null && (lock.isLegalHold || (lock.retention !== null && lock.retention.untilMs > nowMs));
}

function demandOf(rule: LifecycleRule, version: Judged, nowMs: number): 'expire' | 'remove' | null {
  const { expiration, noncurrentExpiration: noncurrent } = rule;
  if (version.noncurrentAtMs !== null) {
    if (noncurrent === undefined || dueAtMs(version.noncurrentAtMs, noncurrent.days) > nowMs) return null;
    return version.newerNoncurrent >= (noncurrent.versionsKept ?? 0) ? 'remove' : null;
  }
  if (expiration === undefined || !version.isLatest) return null;
  // A marker that hides nothing is of no use any more; one that hides versions stays until they are gone.
  if (version.isMarker) return version.isOnly && isDue(expiration, version, nowMs) ? 'remove' : null;
  return !('isMarkerOnly' in expiration) && isDue(expiration, version, nowMs) ? 'expire' : null;
}

/** Whether the moment of an action has come. */
function isDue(expiration: NonNullable<LifecycleRule['expiration']>, { modifiedAtMs }: Judged, nowMs: number): boolean {
  if ('days' in expiration) return dueAtMs(modifiedAtMs, expiration.days) <= nowMs;
  return 'isMarkerOnly' in expiration || expiration.atMs <= nowMs;
}

/** The midnight after `days` days from a moment on. */
function dueAtMs(fromMs: number, days: number): number {
  return (Math.floor(fromMs / dayMs) + days + 1) * dayMs;
}

/** The moment before which something must have come for `days` to be over now. */
export function beforeMs(days: number, nowMs: number): number {
  return (Math.floor(nowMs / dayMs) - days) * dayMs;
}

/** Whether a filter takes a version in. A delete marker has neither tags nor a size, so that filters on them pass it by. */
function fits({ prefix = '', tags, sizeGreaterThan, sizeLessThan }: LifecycleFilter, version: Judged): boolean {
  if (!version.key.startsWith(prefix)) return false;
  if (version.isMarker) return tags === undefined && sizeGreaterThan === undefined && sizeLessThan === undefined;
  if (sizeGreaterThan !== undefined && version.sizeBytes <= sizeGreaterThan) return false;
  if (sizeLessThan !== undefined && version.sizeBytes >= sizeLessThan) return false;
  return Object.entries(tags ?? {}).every(([name, value]) => version.tags[name] === value);
}

/** The rule by which an open upload is given up now, if there is one. Its size is not known, so that no filter on it fits. */
export function judgeUpload(
  rules: readonly LifecycleRule[],
  { key, createdAtMs }: { readonly key: string; readonly createdAtMs: number },
  nowMs: number,
): string | null {
  for (const { id, isEnabled, filter, abortUploadsAfterDays: days } of rules) {
    const { prefix = '', sizeGreaterThan, sizeLessThan } = filter;
    if (!isEnabled || days === undefined || !key.startsWith(prefix)) continue;
    if (sizeGreaterThan === undefined && sizeLessThan === undefined && dueAtMs(createdAtMs, days) <= nowMs) return id;
  }
  return null;
}

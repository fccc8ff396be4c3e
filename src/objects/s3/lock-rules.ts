import type { S3Action } from '../access/access.ts';
import type { BucketSettings, LockRule, RetentionMode } from '../bucket.ts';
import { objectError } from '../errors.ts';
import type { ObjectLock } from '../object.ts';
import { parseTime } from './times.ts';

/**
 * Object lock: which versions nobody may delete, and until when; pure
 * (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html).
 */

export const retentionModes = ['GOVERNANCE', 'COMPLIANCE'] as const satisfies readonly RetentionMode[];

export type Retention = NonNullable<ObjectLock['retention']>;
type Header = (name: string) => string | undefined;

const modeHeader = 'x-amz-object-lock-mode';
const untilHeader = 'x-amz-object-lock-retain-until-date';
const holdHeader = 'x-amz-object-lock-legal-hold';
const dayMs = 86_400_000;

/**
 * The lock of a new version: what its headers ask for, else what the bucket's rule gives; `null` for none.
 * Throws `InvalidRequest` when headers ask for a lock in a bucket without, and `InvalidArgument`.
 */
export function lockFor(
  header: Header,
  settings: Pick<BucketSettings, 'isLockEnabled' | 'lockRule'>,
  nowMs: number,
): ObjectLock | null {
  const asked = retentionIn(header, nowMs);
  const isLegalHold = legalHoldIn(header);
  if (!settings.isLockEnabled) {
    if (asked !== null || isLegalHold !== undefined) throw withoutLock();
    return null;
  }
  const rule = settings.lockRule ?? null;
  const retention = asked ?? (rule === null ? null : { mode: rule.mode, untilMs: ruleEndMs(rule, nowMs) });
  return retention === null && isLegalHold === undefined ? null : { retention, isLegalHold: isLegalHold ?? false };
}

/** What a writer must be allowed to do beside writing, because of the lock that its headers ask for. */
export function lockActions(header: Header): readonly S3Action[] {
  const hasRetention = header(modeHeader) !== undefined || header(untilHeader) !== undefined;
  return [
    ...(hasRetention ? (['s3:PutObjectRetention'] as const) : []),
    ...(header(holdHeader) === undefined ? [] : (['s3:PutObjectLegalHold'] as const)),
  ];
}

function retentionIn(header: Header, nowMs: number): Retention | null {
  const [modeText, untilText] = [header(modeHeader), header(untilHeader)];
  if (modeText === undefined && untilText === undefined) return null;
  if (modeText === undefined || untilText === undefined) {
    throw invalid(modeText === undefined ? modeHeader : untilHeader, `${modeHeader} and ${untilHeader} come together.`);
  }
  const mode = retentionModes.find((one) => one === modeText);
  if (mode === undefined) throw invalid(modeHeader, `${modeHeader} is ${retentionModes.join(' or ')}.`);
  const untilMs = parseTime(untilText);
  if (untilMs === null) throw invalid(untilHeader, `${untilHeader} is a time as ISO 8601 writes it.`);
  requireFuture(untilMs, nowMs);
  return { mode, untilMs };
}

function legalHoldIn(header: Header): boolean | undefined {
  const text = header(holdHeader);
  if (text !== undefined && text !== 'ON' && text !== 'OFF') throw invalid(holdHeader, `${holdHeader} is ON or OFF.`);
  return text === undefined ? undefined : text === 'ON';
}

function invalid(argument: string, sentence: string): Error {
  return objectError('InvalidArgument', { argument }, sentence);
}

/** Retention that is over already would be no retention. Throws `InvalidArgument`. */
export function requireFuture(untilMs: number, nowMs: number): void {
  if (untilMs <= nowMs) throw invalid('RetainUntilDate', 'The retain until date must be in the future.');
}

/** The error for locks in a bucket that has none. */
export function withoutLock(): Error {
  return objectError('InvalidRequest', {}, 'The bucket has no object lock.');
}

/** When the retention ends that a rule gives to a version of now. A year is one of the calendar, in UTC. */
function ruleEndMs(rule: LockRule, nowMs: number): number {
  if (rule.years === undefined) return nowMs + (rule.days ?? 0) * dayMs;
  const end = new Date(nowMs);
  end.setUTCFullYear(end.getUTCFullYear() + rule.years);
  return end.getTime();
}

/**
 * A lock with another retention, `null` for none. Compliance that still runs may only grow; governance may also shrink, end
 * or become compliance, but for those alone who may bypass it. Throws `AccessDenied`.
 */
export function withRetention(
  lock: ObjectLock,
  wanted: Retention | null,
  { nowMs, isBypassing }: { readonly nowMs: number; readonly isBypassing: boolean },
): ObjectLock {
  const { retention: current } = lock;
  const isRunning = current !== null && current.untilMs > nowMs;
  const isFree = !isRunning || (current.mode === 'GOVERNANCE' && isBypassing);
  if (!isFree && !(wanted?.mode === current.mode && wanted.untilMs >= current.untilMs)) {
    const message = `The object is under ${current.mode} retention, which this change would weaken.`;
    throw objectError('AccessDenied', {}, message);
  }
  return { ...lock, retention: wanted };
}

import type { LifecycleRule } from '../s3/lifecycle-rules.ts';
import { beforeMs } from './judge.ts';

/** Where in a bucket anything may be that its rules demand something of, each `null` for nowhere. */
export interface Windows {
  /** Current versions that were written before. */
  readonly currentBeforeMs: number | null;
  /** Versions that became noncurrent before. */
  readonly noncurrentBeforeMs: number | null;
  /** Latest delete markers that were made before. */
  readonly markersBeforeMs: number | null;
  /** Open uploads that began before. */
  readonly uploadsBeforeMs: number | null;
}

/**
 * The widest windows of any rule: what lies outside is not due by any of them, and need not be looked at. Pure. Of what is in
 * one storage class, with the transitions to classes that `isColder` is true of.
 */
export function windowsOf(
  rules: readonly LifecycleRule[],
  nowMs: number,
  isColder: (storageClass: string) => boolean = () => false,
): Windows {
  const enabled = rules.filter(({ isEnabled }) => isEnabled);
  const current: number[] = [];
  const markers: number[] = [];
  for (const { expiration } of enabled) {
    if (expiration === undefined) continue;
    if ('days' in expiration) {
      current.push(beforeMs(expiration.days, nowMs));
      markers.push(beforeMs(expiration.days, nowMs));
    } else if ('isMarkerOnly' in expiration) {
      markers.push(Number.MAX_SAFE_INTEGER);
    } else if (expiration.atMs <= nowMs) {
      current.push(Number.MAX_SAFE_INTEGER);
      markers.push(Number.MAX_SAFE_INTEGER);
    }
  }
  const moving = enabled.flatMap(({ transitions = [] }) => transitions).filter((one) => isColder(one.storageClass));
  for (const one of moving) {
    if ('days' in one) current.push(beforeMs(one.days, nowMs));
    else if (one.atMs <= nowMs) current.push(Number.MAX_SAFE_INTEGER);
  }
  const movingOld = enabled.flatMap(({ noncurrentTransitions = [] }) => noncurrentTransitions);
  const old = movingOld.filter((one) => isColder(one.storageClass)).map(({ days }) => beforeMs(days, nowMs));
  const ofDays = (days: number | undefined) => (days === undefined ? [] : [beforeMs(days, nowMs)]);
  return {
    currentBeforeMs: latest(current),
    noncurrentBeforeMs: latest([...old, ...enabled.flatMap(({ noncurrentExpiration: one }) => ofDays(one?.days))]),
    markersBeforeMs: latest(markers),
    uploadsBeforeMs: latest(enabled.flatMap(({ abortUploadsAfterDays: days }) => ofDays(days))),
  };
}

function latest(times: readonly number[]): number | null {
  return times.length === 0 ? null : Math.max(...times);
}

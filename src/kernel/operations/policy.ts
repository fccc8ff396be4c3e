import type { ErrorData } from '../errors/errors.ts';
import type { RetryPolicy } from './operation.ts';

/** For steps that read or that are cheap to repeat. */
export const defaultPolicy: RetryPolicy = {
  attemptsMax: 5,
  initialWaitMs: 200,
  multiplier: 2,
  waitMaxMs: 10_000,
  jitter: 0.2,
};

/**
 * How long to wait before the next attempt, in milliseconds, or `null` when there is none.
 * `attempts` is how many have failed, `elapsedMs` the time since the first began, `random` from 0 to 1.
 */
export function nextWaitMs(policy: RetryPolicy, attempts: number, elapsedMs: number, random: number): number | null {
  if (attempts >= policy.attemptsMax) return null;
  // After very many attempts the power is infinite, which no multiplication with zero must meet.
  const growth = Math.min(Number.MAX_VALUE, policy.multiplier ** (attempts - 1));
  const full = Math.min(policy.waitMaxMs, policy.initialWaitMs * growth);
  const waitMs = Math.round(full * (1 - (policy.jitter ?? 0) * random));
  if (policy.elapsedMaxMs !== undefined && elapsedMs + waitMs > policy.elapsedMaxMs) return null;
  return waitMs;
}

/** Whether an error may pass by itself. A conflict or a refusal will be the same the next time. */
export function mayPass(error: ErrorData): boolean {
  return (
    error.kind === 'unavailable' || error.kind === 'backend' || error.kind === 'internal' || error.kind === 'overloaded'
  );
}

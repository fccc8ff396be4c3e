/** When what failed is tried again; pure. */

export interface RetryPolicy {
  /** Before the second attempt; it doubles each time. */
  readonly firstWaitMs: number;
  /** Attempts before a message is a dead letter. */
  readonly attemptsMax: number;
}

/** The longest wait that the policy itself makes. */
const waitMsMax = 3_600_000;
/** The longest wait that a receiver may ask for. */
export const askedWaitMsMax = 24 * 3_600_000;
/** What is older than this when it fails is a dead letter, however seldom it was tried. */
const ageMsMax = 3 * 24 * 3_600_000;
/** How long a target that fails again and again is left alone. */
const restMsMax = 60_000;
/** Failures in a row that are taken for those of single messages. */
const toleratedFailures = 3;

/**
 * The time of the next attempt of a message that failed, or `null` when there is none. Half of each wait is random, so that
 * what failed together does not come back together. `randomShare` is in [0, 1).
 */
export function nextAttemptAt(
  policy: RetryPolicy,
  message: { readonly attempts: number; readonly createdAtMs: number; readonly askedWaitMs: number | null },
  nowMs: number,
  randomShare: number,
): number | null {
  const { attempts, createdAtMs, askedWaitMs } = message;
  if (attempts + 1 >= policy.attemptsMax || nowMs - createdAtMs > ageMsMax) return null;
  const wait = Math.min(waitMsMax, policy.firstWaitMs * 2 ** Math.min(attempts, 30));
  const jittered = wait * (0.5 + randomShare / 2);
  return Math.round(nowMs + Math.max(jittered, Math.min(askedWaitMs ?? 0, askedWaitMsMax)));
}

/** How long a target rests after this many failures in a row: one that is down need not be asked for every message. */
export function restAfter(policy: RetryPolicy, failuresInRow: number): number {
  if (failuresInRow < toleratedFailures) return 0;
  return Math.min(restMsMax, policy.firstWaitMs * 2 ** Math.min(failuresInRow - toleratedFailures, 30));
}

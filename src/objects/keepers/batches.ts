import { mapAtOnce } from '../../kernel/concurrency/at-once.ts';

/** How many things a keeper works on at once, if it says nothing else. */
const parallelMax = 8;

/** Runs `work` on all items, a few at a time, until all are done or the signal aborts. */
export async function inParallel<T>(
  items: readonly T[],
  signal: AbortSignal,
  work: (item: T) => Promise<void>,
  atOnce = parallelMax,
): Promise<void> {
  await mapAtOnce(items, atOnce, work, signal);
}

/** The wait before attempt `attempts + 1`, in ms: doubling from `firstMs`, at most `lastMs`. */
export function backoffMs(attempts: number, firstMs: number, lastMs: number): number {
  return Math.min(lastMs, firstMs * 2 ** Math.min(attempts, 30));
}

/** How many things a keeper works on at once, if it says nothing else. */
const parallelMax = 8;

/** Runs `work` on all items, a few at a time, until all are done or the signal aborts. `work` does not throw. */
export async function inParallel<T>(
  items: readonly T[],
  signal: AbortSignal,
  work: (item: T) => Promise<void>,
  atOnce = parallelMax,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < items.length && !signal.aborted) await work(items[next++]!);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
}

/** The wait before attempt `attempts + 1`, in ms: doubling from `firstMs`, at most `lastMs`. */
export function backoffMs(attempts: number, firstMs: number, lastMs: number): number {
  return Math.min(lastMs, firstMs * 2 ** Math.min(attempts, 30));
}

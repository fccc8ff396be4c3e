/**
 * What `work` gives for each item, in the order of the items, with at most `limit` of them under way. After a failure no
 * more is begun; the first one is thrown when what was under way has ended. Nor is more begun once the signal aborts: what
 * was not done has no result then.
 */
export async function mapAtOnce<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
  signal?: AbortSignal,
): Promise<readonly R[]> {
  const left = items.entries();
  const results: R[] = [];
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (const [index, item] of left) {
      try {
        results[index] = await work(item);
      } catch (error) {
        failures.push(error);
      }
      if (failures.length > 0 || signal?.aborted === true) return;
    }
  };
  if (signal?.aborted !== true) await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  if (failures.length > 0) throw failures[0];
  return results;
}

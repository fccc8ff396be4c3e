/**
 * Does work on every item, on at most `parallel` at once; items are taken only when there is room. The first error ends all
 * of it and is thrown when what was under way has ended.
 */
export async function forEachParallel<T>(
  items: AsyncIterable<T>,
  parallel: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const source = items[Symbol.asyncIterator]();
  const failures: unknown[] = [];
  const worker = async () => {
    try {
      while (failures.length === 0) {
        const next = await source.next();
        if (next.done === true) return;
        await work(next.value);
      }
    } catch (error) {
      failures.push(error);
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  if (failures.length === 0) return;
  await source.return?.();
  throw failures[0];
}

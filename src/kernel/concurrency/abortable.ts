/**
 * What `work` resolves to, unless the signal comes first: then its reason is thrown, and the work goes on unwatched. A
 * call of the operating system cannot be taken back, and on a disk that hangs it may never return.
 */
export async function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } catch (error) {
    // When both fail it is the loser that nobody would hear of.
    work.catch(() => undefined);
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

import { HoldfastError } from '../../../kernel/errors/errors.ts';

/**
 * Gives up waiting when the signal aborts. The work itself goes on to the end of what the kernel has begun, since a call into
 * configfs cannot be cut off; it waits for the requests that are on their way to a device, and that can take for ever.
 *
 * @throws HoldfastError `unavailable`
 */
export function beforeAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      const sentence = 'The NVMe target of the kernel did not answer in time; the outcome is unknown.';
      reject(new HoldfastError('unavailable', sentence));
    };
    signal.addEventListener('abort', onAbort, { once: true });
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
    if (signal.aborted) onAbort();
  });
}

import { HoldfastError } from '../errors/errors.ts';
import type { Attempt } from './operation.ts';

/** How long a body may take to settle after its signal aborted, before it is left behind. */
const settleMs = 5_000;

export interface AttemptOptions {
  readonly attempt: number;
  readonly fence: number;
  readonly token: string;
  readonly timeoutMs: number;
  /** Aborts the attempt when the operation is cancelled, lost, or given back. */
  readonly stopping: AbortSignal;
}

/**
 * Runs one attempt under a deadline. A body that answers after its signal aborted is believed; one that does not
 * settle in time is left behind, and its outcome is unknown (`unavailable`).
 */
export async function runAttempt<T>(body: (attempt: Attempt) => T | Promise<T>, options: AttemptOptions): Promise<T> {
  const { attempt, fence, token, timeoutMs, stopping } = options;
  const controller = new AbortController();
  let isLate = false;
  const deadline = setTimeout(() => {
    isLate = true;
    controller.abort(timeoutError(timeoutMs));
  }, timeoutMs);
  let leftBehind: NodeJS.Timeout | undefined;
  const onStop = () => controller.abort(stopping.reason);
  stopping.addEventListener('abort', onStop);
  try {
    const abandoned = new Promise<never>((_resolve, reject) => {
      controller.signal.addEventListener('abort', () => {
        leftBehind = setTimeout(() => reject(timeoutError(timeoutMs)), settleMs);
      });
    });
    return await Promise.race([Promise.resolve(body({ attempt, fence, token, signal: controller.signal })), abandoned]);
  } catch (error) {
    throw isLate ? timeoutError(timeoutMs, error) : error;
  } finally {
    stopping.removeEventListener('abort', onStop);
    clearTimeout(deadline);
    clearTimeout(leftBehind);
  }
}

function timeoutError(timeoutMs: number, cause?: unknown): HoldfastError {
  const message = `There was no answer within ${timeoutMs / 1000} s; whether it was done is unknown until it is read.`;
  return new HoldfastError('unavailable', message, { timeout_ms: timeoutMs }, cause);
}

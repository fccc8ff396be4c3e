import { setTimeout as delay } from 'node:timers/promises';
import { Refused, isBrokenConnection } from '../../client-bytes.ts';

const attemptsMax = 5;
const firstWaitMs = 250;
const waitMaxMs = 30_000;

/**
 * Does something that may be done twice, again when the server wants it later (429, 503) or the connection broke; in all at
 * most five times. Throws the last error.
 */
export async function retried<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt === attemptsMax || !isTransient(error)) throw error;
      await delay(waitMs(error, attempt), undefined, { signal });
    }
  }
}

/** What the server asked for, and longer each time, within a bound. */
export function waitMs(error: unknown, attempt: number): number {
  const wanted = error instanceof Refused ? (error.retryAfterMs ?? 0) : 0;
  return Math.min(waitMaxMs, Math.max(wanted, firstWaitMs * 2 ** (attempt - 1)));
}

function isTransient(error: unknown): boolean {
  if (error instanceof Refused) return error.status === 429 || error.status === 503;
  return isBrokenConnection(error);
}

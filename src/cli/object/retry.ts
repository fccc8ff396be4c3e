import { setTimeout as delay } from 'node:timers/promises';
import { Refused, isBrokenConnection } from '../../client-bytes.ts';

/** More than the faults after which the server takes a place that is away for what it is, and uses another one. */
const attemptsMax = 7;
const firstWaitMs = 250;
const waitMaxMs = 30_000;

/**
 * Does something that may be done twice, again when the server wants it later (429, 503) or the connection broke; in all at
 * most seven times. Throws the last error.
 */
export async function retried<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const patience = new Patience(signal);
  for (;;) {
    try {
      return await work();
    } catch (error) {
      await patience.wait(error);
    }
  }
}

/** How often and how long a failure is waited for. */
export class Patience {
  readonly #signal: AbortSignal;
  readonly #sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  #attempts = 0;

  constructor(signal: AbortSignal, sleep = (ms: number, end: AbortSignal) => delay(ms, undefined, { signal: end })) {
    this.#signal = signal;
    this.#sleep = sleep;
  }

  /** Something went on: what fails from here on is another failure. */
  renew(): void {
    this.#attempts = 0;
  }

  /** Waits until it may be tried again. Throws the error when it will not pass, or was met too often. */
  async wait(error: unknown): Promise<void> {
    this.#attempts++;
    if (this.#attempts >= attemptsMax || !isTransient(error)) throw error;
    await this.#sleep(waitMs(error, this.#attempts), this.#signal);
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

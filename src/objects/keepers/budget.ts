import { setTimeout as delay } from 'node:timers/promises';

/** What may be used of a backend in a second. */
export interface Rate {
  readonly bytesPerSecond: number;
  readonly requestsPerSecond: number;
}

/** How much may be saved up while nothing is used, in seconds. */
const burstSeconds = 1;

/**
 * A token bucket of bytes and requests. What is asked for is granted at once as long as something is left, and waited for
 * afterwards: so a chunk may be larger than the bucket, and the mean is the rate all the same.
 */
export class Budget {
  readonly #rate: Rate;
  readonly #nowMs: () => number;
  #bytes: number;
  #requests: number;
  #filledAtMs: number;

  constructor(rate: Rate, nowMs: () => number = () => performance.now()) {
    this.#rate = rate;
    this.#nowMs = nowMs;
    this.#bytes = rate.bytesPerSecond * burstSeconds;
    this.#requests = Math.max(1, rate.requestsPerSecond * burstSeconds);
    this.#filledAtMs = nowMs();
  }

  /** Takes what was used and gives how long to wait before going on, in ms. */
  take(use: { readonly bytes?: number; readonly requests?: number }): number {
    this.#fill();
    this.#bytes -= use.bytes ?? 0;
    this.#requests -= use.requests ?? 0;
    const seconds = Math.max(-this.#bytes / this.#rate.bytesPerSecond, -this.#requests / this.#rate.requestsPerSecond);
    return Math.max(0, seconds * 1_000);
  }

  /** Takes what was used, and waits until that is paid off. Throws the reason of `signal`. */
  async spend(use: { readonly bytes?: number; readonly requests?: number }, signal: AbortSignal): Promise<void> {
    const waitMs = this.take(use);
    if (waitMs < 1) return;
    await delay(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }

  #fill(): void {
    const nowMs = this.#nowMs();
    const seconds = Math.max(0, nowMs - this.#filledAtMs) / 1_000;
    this.#filledAtMs = nowMs;
    const { bytesPerSecond, requestsPerSecond } = this.#rate;
    this.#bytes = Math.min(bytesPerSecond * burstSeconds, this.#bytes + seconds * bytesPerSecond);
    const requestsMax = Math.max(1, requestsPerSecond * burstSeconds);
    this.#requests = Math.min(requestsMax, this.#requests + seconds * requestsPerSecond);
  }
}

import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../kernel/ids.ts';
import type { Release } from './fair-queue.ts';
import { type ServedKind, ServedTimes } from './served-times.ts';

export interface BackgroundGateOptions {
  /** Monotonic. */
  readonly clock: Clock;
  /** Whether requests of clients wait for their turn. */
  readonly isQueueing: () => boolean;
}

const limitMax = 256;
/** How often the limit changes at most. */
const stepMs = 200;
const growth = 2;
/** While clients are served it begins with so much, and grows by one after so long. */
const besideClients = 2;
const growMs = 1_000;
/** Where one at a time is too much there are rests, which double with each look. */
const restMsMin = 20;
const restMsMax = 500;
/**
 * Nothing is held back for longer, which leaves calls most of their deadline; and work that waits for what it holds itself
 * would wait for ever.
 */
const holdMsMax = 10_000;

/**
 * Bounds how much keepers do at once, all together: as much as they like while there are no clients, little at first and
 * slowly more beside clients that are served as usual, half as much with each look while clients queue or wait half as long
 * again for reads or small writes, and in the end one at a time with rests: never nothing, so that what clients leave behind
 * is always being put in order.
 */
export class BackgroundGate {
  readonly #options: BackgroundGateOptions;
  readonly #waiting = new Set<() => void>();
  #limit = limitMax;
  #active = 0;
  #steppedAtMs = Number.NEGATIVE_INFINITY;
  #grownAtMs = Number.NEGATIVE_INFINITY;
  #restMs = 0;
  #restedUntilMs = Number.NEGATIVE_INFINITY;
  readonly #times = { read: new ServedTimes(), write: new ServedTimes() };

  constructor(options: BackgroundGateOptions) {
    this.#options = options;
  }

  get active(): number {
    return this.#active;
  }

  get limit(): number {
    return this.#limit;
  }

  /** How long lies between two beginnings now, at least, in ms. */
  get restMs(): number {
    return this.#restMs;
  }

  /** Hears how long a client's read waited for its first bytes, or a write of a small body for the disks. */
  foregroundTook(tookMs: number, kind: ServedKind = 'read'): void {
    this.#times[kind].add(tookMs, this.#options.clock.nowMs(), this.#active);
  }

  /** Waits for the turn of one more to begin, for a bounded time. Throws the signal's reason. */
  async rest(signal: AbortSignal): Promise<void> {
    this.#step();
    if (this.#restMs === 0) return;
    const nowMs = this.#options.clock.nowMs();
    this.#restedUntilMs = Math.max(this.#restedUntilMs, nowMs) + this.#restMs;
    const waitMs = Math.min(holdMsMax, this.#restedUntilMs - nowMs);
    await delay(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }

  /** Waits until there is room, for a bounded time; what it gives is to be called at the end. Throws the signal's reason. */
  async enter(signal: AbortSignal): Promise<Release> {
    if (this.#active === 0 && this.#isHeard(this.#options.clock.nowMs())) {
      this.#limit = Math.min(this.#limit, besideClients);
    }
    this.#step();
    this.#serve();
    if (this.#active < this.#limit) this.#active += 1;
    else await this.#wait(signal);
    return this.#release();
  }

  /** Counts as one that has entered, without waiting: for what somebody waits for who holds a place. */
  join(): Release {
    this.#active += 1;
    return this.#release();
  }

  #release(): Release {
    let isReleased = false;
    return () => {
      if (isReleased) return;
      isReleased = true;
      this.#active -= 1;
      this.#step();
      this.#serve();
    };
  }

  async #wait(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const abort = () => {
      if (this.#waiting.delete(resolve)) reject(signal.reason);
    };
    this.#waiting.add(resolve);
    const timer = setTimeout(() => this.#begin(resolve), holdMsMax);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    }
  }

  /** At least one is active while anybody waits, so that its end brings this about. */
  #serve(): void {
    for (const begin of this.#waiting) {
      if (this.#active >= this.#limit) return;
      this.#begin(begin);
    }
  }

  #begin(waiter: () => void): void {
    if (!this.#waiting.delete(waiter)) return;
    this.#active += 1;
    waiter();
  }

  #step(): void {
    const nowMs = this.#options.clock.nowMs();
    if (nowMs - this.#steppedAtMs < stepMs) return;
    this.#steppedAtMs = nowMs;
    if (this.#options.isQueueing() || this.#isSlow(nowMs)) {
      if (this.#limit === 1) this.#restMs = Math.min(restMsMax, Math.max(restMsMin, this.#restMs * 2));
      this.#limit = Math.max(1, Math.floor(Math.min(this.#limit, Math.max(1, this.#active)) / 2));
    } else if (!this.#isHeard(nowMs)) {
      this.#restMs = 0;
      this.#limit = Math.min(limitMax, Math.ceil(this.#limit * growth));
    } else if (nowMs - this.#grownAtMs >= growMs) {
      if (this.#restMs > 0) this.#restMs = this.#restMs > restMsMin ? this.#restMs / 2 : 0;
      else this.#limit = Math.min(limitMax, this.#limit + 1);
      this.#grownAtMs = nowMs;
    }
  }

  #isHeard(nowMs: number): boolean {
    return this.#times.read.isHeard(nowMs) || this.#times.write.isHeard(nowMs);
  }

  #isSlow(nowMs: number): boolean {
    return this.#times.read.isSlow(nowMs) || this.#times.write.isSlow(nowMs);
  }
}

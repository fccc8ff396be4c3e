/** In thousandths, so that whole milliseconds at whole rates give whole numbers and nothing is lost to rounding. */
const tokenUnits = 1_000;
const namesMax = 10_000;

interface TokenBucket {
  units: number;
  atMs: number;
}

/**
 * A token bucket for each name: over any time of t seconds it lets at most `perSecond` × (t + 1) pass, and none is refused
 * that keeps to the rate.
 */
export class RateLimiter {
  readonly #perSecond: number;
  readonly #fullUnits: number;
  /** The one that was used longest ago comes first. */
  readonly #buckets = new Map<string, TokenBucket>();

  /** `perSecond` is a whole number, from 1. */
  constructor(perSecond: number) {
    this.#perSecond = perSecond;
    this.#fullUnits = perSecond * tokenUnits;
  }

  /** Whether a request of this name may pass now, by a monotonic clock. It is not counted yet. */
  hasToken(name: string, nowMs: number): boolean {
    return this.#filled(name, nowMs).units >= tokenUnits;
  }

  /** Counts a request for which there is a token. */
  take(name: string, nowMs: number): void {
    const bucket = this.#filled(name, nowMs);
    bucket.units -= tokenUnits;
    this.#buckets.delete(name);
    this.#buckets.set(name, bucket);
    if (this.#buckets.size > namesMax) this.#dropOldest();
  }

  #filled(name: string, nowMs: number): TokenBucket {
    const atMs = Math.floor(nowMs);
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) return { units: this.#fullUnits, atMs };
    const elapsedMs = Math.max(0, atMs - bucket.atMs);
    bucket.units = Math.min(this.#fullUnits, bucket.units + elapsedMs * this.#perSecond);
    bucket.atMs = Math.max(bucket.atMs, atMs);
    return bucket;
  }

  /** With so many names about, the one dropped is full again or will not be missed. */
  #dropOldest(): void {
    for (const name of this.#buckets.keys()) {
      this.#buckets.delete(name);
      return;
    }
  }
}

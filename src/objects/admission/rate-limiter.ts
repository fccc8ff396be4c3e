/** In thousandths, so that whole milliseconds at whole rates give whole numbers and nothing is lost to rounding. */
const tokenUnits = 1_000;
const namesMax = 10_000;
/** What was taken beyond what there was holds up what follows for no longer than this. */
const debtSecondsMax = 3_600;

interface TokenBucket {
  units: number;
  atMs: number;
}

/**
 * A token bucket for each name: over any time of t seconds it lets at most `perSecond` × (t + 1) pass, and none is refused
 * that keeps to the rate. What is known only afterwards, such as bytes, may be taken beyond what there is: then nothing
 * passes until that has come in, too.
 */
export class RateLimiter {
  readonly #perSecond: number;
  /** The one that was used longest ago comes first. */
  readonly #buckets = new Map<string, TokenBucket>();

  /** `perSecond` is a whole number, from 1; names may have others of their own. */
  constructor(perSecond = 1) {
    this.#perSecond = perSecond;
  }

  /** Whether a request of this name may pass now, by a monotonic clock. It is not counted yet. */
  hasToken(name: string, nowMs: number, perSecond = this.#perSecond): boolean {
    return this.#filled(name, nowMs, perSecond).units >= tokenUnits;
  }

  /** How long until there is a token, if none is taken meanwhile, in ms. */
  waitMs(name: string, nowMs: number, perSecond = this.#perSecond): number {
    return Math.max(0, Math.ceil((tokenUnits - this.#filled(name, nowMs, perSecond).units) / perSecond));
  }

  /** Counts a request for which there is a token, or so many of what was moved. */
  take(name: string, nowMs: number, perSecond = this.#perSecond, count = 1): void {
    const bucket = this.#filled(name, nowMs, perSecond);
    bucket.units = Math.max(bucket.units - count * tokenUnits, -debtSecondsMax * perSecond * tokenUnits);
    this.#buckets.delete(name);
    this.#buckets.set(name, bucket);
    if (this.#buckets.size > namesMax) this.#dropOldest();
  }

  #filled(name: string, nowMs: number, perSecond: number): TokenBucket {
    const fullUnits = perSecond * tokenUnits;
    const atMs = Math.floor(nowMs);
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) return { units: fullUnits, atMs };
    const elapsedMs = Math.max(0, atMs - bucket.atMs);
    bucket.units = Math.min(fullUnits, bucket.units + elapsedMs * perSecond);
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

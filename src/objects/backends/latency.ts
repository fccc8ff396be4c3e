const weight = 0.2;
const halfLifeMs = 60_000;

/**
 * The time to an answer, smoothed. It fades while nothing is measured: a backend that was slow once is tried again, and
 * not passed over for ever because nobody measures it any more. Times are milliseconds of a monotonic clock.
 */
export class SmoothedLatency {
  #valueMs = 0;
  #atMs: number | null = null;

  sample(tookMs: number, nowMs: number): void {
    this.#valueMs = this.#atMs === null ? tookMs : this.at(nowMs) * (1 - weight) + tookMs * weight;
    this.#atMs = nowMs;
  }

  /** 0 while nothing was measured. */
  at(nowMs: number): number {
    if (this.#atMs === null) return 0;
    return this.#valueMs * 0.5 ** (Math.max(0, nowMs - this.#atMs) / halfLifeMs);
  }
}

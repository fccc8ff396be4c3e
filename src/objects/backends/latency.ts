import type { Clock } from '../../kernel/ids.ts';

/** What is known of reading from a backend; hedging and the order of reads go by it. */
export interface ReadHealthView {
  /**
   * What a read is expected to cost, faults reckoned in, in ms: a step of a coarse scale that it leaves only for good, so
   * that two backends that are alike do not take turns at being the best.
   */
  readonly costMs: number;
  /** 95 of 100 reads gave their first byte within it, in ms; `null` while too few were seen. */
  readonly p95Ms: number | null;
  /** Whether one that reads pass over should be measured again. */
  readonly isProbeDue: boolean;
  /** Takes the next look upon oneself, so that others do not look as well. */
  beginProbe(): void;
}

const smoothing = 0.2;
/** A measurement that is so old weighs half of a new one, whatever there was before. */
const halfLifeMs = 10_000;
const faultSmoothing = 0.1;
const faultHalfLifeMs = 60_000;
/** What a fault costs a read: the way to another copy, and the doubt about the next one. */
const faultMs = 1_000;
const probeAfterMs = 5_000;
const stepFactor = 1.5;

/**
 * What reads of a backend were like lately. A latency does not fade while nobody measures it: all reads would come back at
 * once and find it as slow as ever. One that is passed over is measured by a small share of reads, and rises by what they see.
 */
export class ReadHealth implements ReadHealthView {
  readonly #clock: Clock;
  readonly #quantiles = new DecayingQuantiles();
  #latencyMs = 0;
  #measuredAtMs: number | null = null;
  #probedAtMs = Number.NEGATIVE_INFINITY;
  #faultShare = 0;
  #faultAtMs = 0;
  #step = 0;

  /** `clock` is monotonic. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The first bytes came, or the answer that there are none. */
  answered(tookMs: number): void {
    this.#quantiles.add(tookMs, this.#measure(tookMs));
    this.#noteFault(false);
  }

  /** The backend failed or wants less. How quickly it did so says nothing of how quick it is. */
  failed(): void {
    this.#noteFault(true);
    this.#place();
  }

  /**
   * Nobody waited any longer. It would have taken more than this, which tells something when this is much already. It is no
   * part of the percentile: that decides how long is waited, and would rise by its own decisions.
   */
  abandoned(afterMs: number): void {
    if (this.#measuredAtMs === null || afterMs > this.#latencyMs) this.#measure(afterMs);
  }

  /** Smoothed time to the first byte; 0 while nothing was measured. */
  get latencyMs(): number {
    return this.#latencyMs;
  }

  /** The share of calls that failed lately, 0 to 1. */
  get faultShare(): number {
    const ageMs = Math.max(0, this.#clock.nowMs() - this.#faultAtMs);
    return this.#faultShare * 0.5 ** (ageMs / faultHalfLifeMs);
  }

  get costMs(): number {
    return stepFactor ** this.#step;
  }

  get p95Ms(): number | null {
    return this.#quantiles.at(0.95);
  }

  get isProbeDue(): boolean {
    const lookedAtMs = Math.max(this.#probedAtMs, this.#measuredAtMs ?? Number.NEGATIVE_INFINITY);
    return this.#clock.nowMs() - lookedAtMs >= probeAfterMs;
  }

  beginProbe(): void {
    this.#probedAtMs = this.#clock.nowMs();
  }

  /** Gives how long before it was measured last. */
  #measure(tookMs: number): number {
    const nowMs = this.#clock.nowMs();
    const ageMs = this.#measuredAtMs === null ? Number.POSITIVE_INFINITY : Math.max(0, nowMs - this.#measuredAtMs);
    const weight = Math.max(smoothing, 1 - 0.5 ** (ageMs / halfLifeMs));
    this.#latencyMs += (tookMs - this.#latencyMs) * weight;
    this.#measuredAtMs = nowMs;
    this.#place();
    return ageMs;
  }

  #noteFault(isFault: boolean): void {
    const before = this.faultShare;
    this.#faultShare = before + ((isFault ? 1 : 0) - before) * faultSmoothing;
    this.#faultAtMs = this.#clock.nowMs();
  }

  /** Changes the step when the cost is a whole one away from it, and not already when it crosses a line. */
  #place(): void {
    const costMs = this.#latencyMs + this.faultShare * faultMs;
    const exact = Math.log(Math.max(1, costMs)) / Math.log(stepFactor);
    if (Math.abs(exact - this.#step) >= 1) this.#step = Math.round(exact);
  }
}

const samplesMin = 8;
const lowestMs = 0.25;
const bucketFactor = 1.5;
const bucketsMax = 32;
/** By which the weight of a sample grows over that of the one before: what is 70 samples old weighs half. */
const growth = 1.01;
/** However long nothing was measured, what was known before is not forgotten at once. */
const gapGrowthMax = 8;
const gapHalfLifeMs = 60_000;

/** Quantiles of a stream of times, newer ones weighing more, to within half of their value. */
class DecayingQuantiles {
  readonly #weights = new Float64Array(bucketsMax);
  #total = 0;
  #count = 0;
  #weight = 1;

  add(valueMs: number, ageMs: number): void {
    this.#weight *= Math.max(growth, Math.min(gapGrowthMax, 2 ** (ageMs / gapHalfLifeMs)));
    const bucket = Math.ceil(Math.log(Math.max(valueMs, lowestMs) / lowestMs) / Math.log(bucketFactor));
    this.#weights[Math.min(bucketsMax - 1, bucket)]! += this.#weight;
    this.#total += this.#weight;
    this.#count += 1;
    if (this.#weight > 1e100) this.#rescale();
  }

  /** The upper bound of the bucket in which the quantile lies; `null` while there are too few samples. */
  at(quantile: number): number | null {
    if (this.#count < samplesMin) return null;
    let above = this.#total * (1 - quantile);
    for (let bucket = bucketsMax - 1; bucket > 0; bucket--) {
      above -= this.#weights[bucket]!;
      if (above < 0) return lowestMs * bucketFactor ** bucket;
    }
    return lowestMs;
  }

  #rescale(): void {
    for (let bucket = 0; bucket < bucketsMax; bucket++) this.#weights[bucket]! /= this.#weight;
    this.#total /= this.#weight;
    this.#weight = 1;
  }
}

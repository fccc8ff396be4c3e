import type { Clock } from '../../kernel/ids.ts';
import { objectError, s3CodeOf } from '../errors.ts';
import { FairQueue, type Release } from './fair-queue.ts';
import { RateLimiter } from './rate-limiter.ts';

export interface AdmissionOptions {
  /** How many requests are at work at once, over both faces. */
  readonly requestsMax: number;
  /** How long a request may wait for its turn, in ms. */
  readonly waitMs: number;
  /** Requests a second of one user, and of one bucket; 0 is without a limit. */
  readonly userRate: number;
  readonly bucketRate: number;
  /** Rates that a bucket has of its own; `null` for one that has none, or is not there. */
  readonly ratesOf?: (bucket: string) => Promise<BucketRates | null>;
  /** Monotonic. */
  readonly clock: Clock;
}

/** What one bucket may be asked for in a second, by the clients of one gateway; `null` is without a rate of its own. */
export interface BucketRates {
  /** Takes the place of the rate that all buckets have. */
  readonly requestsPerSecond: number | null;
  /** Of bodies, both ways. */
  readonly bytesPerSecond: number | null;
}

/** What one user with one bucket may hold of all places: what is slow there leaves room for others. */
const laneShareMax = 0.75;
/** More buckets than there can be; names of some may be of buckets that are gone. */
const byteRatesMax = 20_000;

/**
 * Who may ask the gateway now. Requests for objects pass here on both faces, after it is known who asks and before a byte of
 * the body is read; what administers passes by. Who is refused is told to slow down.
 */
export class Admission {
  readonly #queue: FairQueue;
  readonly #users: RateLimiter | null;
  readonly #buckets = new RateLimiter();
  readonly #bytes = new RateLimiter();
  readonly #bucketRate: number;
  readonly #ratesOf: (bucket: string) => Promise<BucketRates | null>;
  /** Of buckets that have one, as it was when they were last asked for. */
  readonly #byteRates = new Map<string, number>();
  readonly #clock: Clock;
  /** Requests refused for their rate, and those for which there was no turn. */
  readonly refusals = { rate: 0, queue: 0 };

  constructor({ requestsMax, waitMs, userRate, bucketRate, ratesOf, clock }: AdmissionOptions) {
    // Every one that waits keeps a connection, so no more wait than work.
    this.#queue = new FairQueue({ places: requestsMax, waitingMax: requestsMax, waitMs, laneShareMax });
    this.#users = userRate === 0 ? null : new RateLimiter(userRate);
    this.#bucketRate = bucketRate;
    this.#ratesOf = ratesOf ?? (() => Promise.resolve(null));
    this.#clock = clock;
  }

  get atWork(): number {
    return this.#queue.busy;
  }

  get waiting(): number {
    return this.#queue.waiting;
  }

  /**
   * Waits for a turn; what it gives is to be called when the request has ended. `bucket` is `null` for what is asked of none.
   * Throws `SlowDown`, saying when to come again, and the signal's reason.
   */
  async enter(user: string, bucket: string | null, signal: () => AbortSignal): Promise<Release> {
    const waitMs = this.#passRates(user, bucket, bucket === null ? null : await this.#ratesOf(bucket));
    if (waitMs > 0) {
      this.refusals.rate += 1;
      const seconds = Math.ceil(waitMs / 1_000);
      throw objectError('SlowDown', { reply_headers: { 'retry-after': String(seconds) } });
    }
    try {
      // Neither has a line feed in it.
      return await this.#queue.enter(`${user}\n${bucket ?? ''}`, signal);
    } catch (error) {
      if (s3CodeOf(error) === 'SlowDown') this.refusals.queue += 1;
      throw error;
    }
  }

  /** Counts bytes that a request moved, for the rate of its bucket. */
  moved(bucket: string, bytes: number): void {
    const rate = this.#byteRates.get(bucket);
    if (rate !== undefined) this.#bytes.take(bucket, this.#clock.nowMs(), rate, bytes);
  }

  /** Counts a request that is within all rates; else gives how long it should wait, in ms, and counts nothing. */
  #passRates(user: string, bucket: string | null, own: BucketRates | null): number {
    const nowMs = this.#clock.nowMs();
    if (this.#users?.hasToken(user, nowMs) === false) return this.#users.waitMs(user, nowMs);
    if (bucket !== null) {
      const requestRate = own?.requestsPerSecond ?? this.#bucketRate;
      const byteRate = own?.bytesPerSecond ?? null;
      this.#noteByteRate(bucket, byteRate);
      if (requestRate > 0 && !this.#buckets.hasToken(bucket, nowMs, requestRate)) {
        return this.#buckets.waitMs(bucket, nowMs, requestRate);
      }
      if (byteRate !== null && !this.#bytes.hasToken(bucket, nowMs, byteRate)) {
        return this.#bytes.waitMs(bucket, nowMs, byteRate);
      }
      if (requestRate > 0) this.#buckets.take(bucket, nowMs, requestRate);
    }
    this.#users?.take(user, nowMs);
    return 0;
  }

  #noteByteRate(bucket: string, rate: number | null): void {
    if (rate === null) return void this.#byteRates.delete(bucket);
    if (this.#byteRates.size >= byteRatesMax) this.#byteRates.clear();
    this.#byteRates.set(bucket, rate);
  }
}

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
  /** Monotonic. */
  readonly clock: Clock;
}

/** What one user with one bucket may hold of all places: what is slow there leaves room for others. */
const laneShareMax = 0.75;

/**
 * Who may ask the gateway now. Requests for objects pass here on both faces, after it is known who asks and before a byte of
 * the body is read; what administers passes by. Who is refused is told to slow down.
 */
export class Admission {
  readonly #queue: FairQueue;
  readonly #users: RateLimiter | null;
  readonly #buckets: RateLimiter | null;
  readonly #clock: Clock;
  /** Requests refused for their rate, and those for which there was no turn. */
  readonly refusals = { rate: 0, queue: 0 };

  constructor({ requestsMax, waitMs, userRate, bucketRate, clock }: AdmissionOptions) {
    // Every one that waits keeps a connection, so no more wait than work.
    this.#queue = new FairQueue({ places: requestsMax, waitingMax: requestsMax, waitMs, laneShareMax });
    this.#users = userRate === 0 ? null : new RateLimiter(userRate);
    this.#buckets = bucketRate === 0 ? null : new RateLimiter(bucketRate);
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
   * Throws `SlowDown`, and the signal's reason.
   */
  async enter(user: string, bucket: string | null, signal: () => AbortSignal): Promise<Release> {
    if (!this.#isWithinRates(user, bucket)) {
      this.refusals.rate += 1;
      throw objectError('SlowDown');
    }
    try {
      // Neither has a line feed in it.
      return await this.#queue.enter(`${user}\n${bucket ?? ''}`, signal);
    } catch (error) {
      if (s3CodeOf(error) === 'SlowDown') this.refusals.queue += 1;
      throw error;
    }
  }

  #isWithinRates(user: string, bucket: string | null): boolean {
    const nowMs = this.#clock.nowMs();
    const ofBucket = bucket === null ? null : this.#buckets;
    if (this.#users?.hasToken(user, nowMs) === false) return false;
    if (ofBucket?.hasToken(bucket!, nowMs) === false) return false;
    this.#users?.take(user, nowMs);
    ofBucket?.take(bucket!, nowMs);
    return true;
  }
}

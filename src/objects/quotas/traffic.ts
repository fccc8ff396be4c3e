import type { Clock } from '../../kernel/ids.ts';
import type { HoldfastError } from '../../kernel/errors/errors.ts';
import type { UsageBook, UsageDelta, UsageMeter } from '../backends/usage.ts';
import { objectError } from '../errors.ts';
import type { QuotaPicture } from './picture.ts';
import { bucketSubject, userSubject } from './quota.ts';

/** Who asks, and of which bucket; `null` is nobody and none. */
export interface TrafficPlace {
  readonly bucket: string | null;
  readonly userId: string | null;
}

/**
 * What a request is for: `delete` always passes, so that who is over a limit can clean up; `write` brings content and `read`
 * takes it away; `ask` is all else.
 */
export type TrafficUse = 'write' | 'read' | 'ask' | 'delete';

const meters: Readonly<Record<TrafficUse, readonly UsageMeter[]>> = {
  write: ['requests', 'ingress'],
  read: ['requests', 'egress'],
  ask: ['requests'],
  delete: [],
};

/** The traffic of clients, counted by bucket and user and held to monthly limits. */
export class Traffic {
  readonly #usage: UsageBook;
  readonly #picture: QuotaPicture;
  readonly #clock: Clock;
  readonly #onMoved: (bucket: string, bytes: number) => void;

  /** `usage` is that of subjects, started; who opened it closes it. `onMoved` hears of bytes of buckets as they move. */
  constructor(
    usage: UsageBook,
    picture: QuotaPicture,
    clock: Clock,
    onMoved: (bucket: string, bytes: number) => void = () => {},
  ) {
    this.#onMoved = onMoved;
    this.#usage = usage;
    this.#picture = picture;
    this.#clock = clock;
  }

  /**
   * Counts a request. Throws `QuotaExceeded`, and does not count it, when a monthly limit is reached. It is 403 and not 503
   * `SlowDown`, for reads as well: a limit that holds until the end of the month is no overload, which passes in seconds.
   * Clients try 503 again several times, and each attempt would be a request more; 403 they tell at once. `Retry-After` says
   * when it ends to those who look.
   */
  admit(place: TrafficPlace, use: TrafficUse, announcedBytes: number): void {
    for (const subject of subjectsOf(place)) {
      const book = this.#picture.get(subject);
      if (book === null) continue;
      for (const meter of meters[use]) {
        const more = meter === 'ingress' ? Math.max(1, announcedBytes) : 1;
        if (this.#usage.isOver(subject, meter, book.limits.month, more)) {
          throw this.#refusal(subject, meter, book.limits.month[meter]!);
        }
      }
    }
    this.#count(place, { requests: 1, ingressBytes: 0, egressBytes: 0 });
  }

  /** Counts the bytes of a request that was admitted: of its body as it came, and of its answer's. */
  countBytes(place: TrafficPlace, ingressBytes: number, egressBytes: number): void {
    if (ingressBytes > 0 || egressBytes > 0) this.#count(place, { requests: 0, ingressBytes, egressBytes });
  }

  /** Tells of bytes of a request that was admitted while they move, either way, for those who hold it to a rate. */
  moved({ bucket }: TrafficPlace, bytes: number): void {
    if (bucket !== null) this.#onMoved(bucket, bytes);
  }

  #count(place: TrafficPlace, delta: UsageDelta): void {
    for (const subject of subjectsOf(place)) this.#usage.count(subject, delta);
  }

  #refusal(subject: string, meter: UsageMeter, maximum: number): HoldfastError {
    const nowMs = this.#clock.nowMs();
    const endMs = nextMonthMs(nowMs);
    const ends = new Date(endMs).toISOString().slice(0, 10);
    const unit = meter === 'requests' ? 'requests' : `bytes of ${meter}`;
    const sentence = `The limit of ${maximum} ${unit} in a month is reached; it ends on ${ends}.`;
    const headers = { 'retry-after': String(Math.ceil((endMs - nowMs) / 1000)) };
    return objectError('QuotaExceeded', { quota: subject, meter, maximum, reply_headers: headers }, sentence);
  }
}

/** When the month after this one begins, in UTC. */
export function nextMonthMs(nowMs: number): number {
  const now = new Date(nowMs);
  return Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1);
}

function subjectsOf({ bucket, userId }: TrafficPlace): string[] {
  return [...(bucket === null ? [] : [bucketSubject(bucket)]), ...(userId === null ? [] : [userSubject(userId)])];
}

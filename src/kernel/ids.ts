import { randomBytes } from 'node:crypto';

/** Where times come from, so that tests own them. */
export interface Clock {
  /** Milliseconds since 1970. */
  nowMs(): number;
}

export const systemClock: Clock = { nowMs: () => Date.now() };

/** Gives ids that sort by the time of their making. */
export type IdSource = (prefix: string) => string;

/**
 * UUIDv7 (RFC 9562, 5.7) behind a prefix that tells people what it names, such as `op-…` or `vol-…`. Ids made by one
 * source in one millisecond still sort in the order of their making.
 */
export function createIdSource(clock: Clock = systemClock): IdSource {
  let lastMs = 0;
  let counter = 0;
  let pool = Buffer.alloc(0);
  let used = 0;
  return (prefix) => {
    const nowMs = Math.max(clock.nowMs(), lastMs);
    counter = nowMs === lastMs ? counter + 1 : 0;
    // The 12 bits after the version count within a millisecond; past them, time is borrowed from the next one.
    lastMs = counter > 0xfff ? nowMs + 1 : nowMs;
    if (counter > 0xfff) counter = 0;
    if (used + 8 > pool.length) {
      pool = randomBytes(4096);
      used = 0;
    }
    const random = pool.subarray(used, (used += 8));
    const time = lastMs.toString(16).padStart(12, '0');
    const sequence = counter.toString(16).padStart(3, '0');
    const tail = Buffer.from(random);
    tail[0] = (tail[0]! & 0x3f) | 0x80;
    const hex = tail.toString('hex');
    return `${prefix}-${time.slice(0, 8)}-${time.slice(8)}-7${sequence}-${hex.slice(0, 4)}-${hex.slice(4)}`;
  };
}

import type { Clock, IdSource } from '../../kernel/ids.ts';
import type { Reader, Store } from '../../kernel/store/store.ts';
import type { Transaction } from '../../kernel/store/transaction.ts';
import { type UsageFlush, type UsageRow, flushUsage } from './usage-flush.ts';

/** What calls to a backend used. */
export interface UsageDelta {
  readonly requests: number;
  /** Bytes written to it. */
  readonly ingressBytes: number;
  /** Bytes read from it. */
  readonly egressBytes: number;
}

/** What providers bill and limit. */
export const usageMeters = ['requests', 'ingress', 'egress'] as const;
export type UsageMeter = (typeof usageMeters)[number];

/** The most of a month, `null` without a limit. */
export type UsageLimits = Readonly<Record<UsageMeter, number | null>>;

/** Where usage is kept. */
export interface UsageLedger {
  readonly flush: Transaction<UsageFlush, void>;
  /** What was used in a month, of all places whose total is asked for. */
  load(reader: Reader, month: string): Promise<readonly PlaceUsage[]>;
}

/** Usage of one backend, bucket or user. */
export interface PlaceUsage extends UsageDelta {
  readonly place: string;
}

export interface UsageBookOptions {
  readonly store: Store;
  /** The wall clock: months are those of the calendar, in UTC. */
  readonly clock: Clock;
  readonly newId: IdSource;
  readonly onError: (error: unknown) => void;
  readonly flushIntervalMs?: number;
  /** That of backends by default. */
  readonly ledger?: UsageLedger;
}

interface Sum {
  requests: number;
  ingressBytes: number;
  egressBytes: number;
}

/** From this share of a limit on, what other processes count is asked for more often. */
const nearShare = 0.8;
const nearIntervalMs = 500;
/** How many places one flush carries, so that no transaction is long, and how many flushes follow one another. */
const flushRowsMax = 500;
const flushesMax = 100;

const noUsage: UsageDelta = { requests: 0, ingressBytes: 0, egressBytes: 0 };

/**
 * Counts what backends, buckets or users are used for, month by month. Counting is done in memory; every few seconds it is
 * added to the store, where the processes of one installation meet. A batch that is being flushed stays one batch under one
 * number until the store has confirmed it, so that a lost answer neither loses nor doubles it.
 *
 * What is in the store is exact up to what each process has counted since its last flush. Limits are compared with that and
 * with this process's own count, so that several processes can pass a limit by what they do between two flushes; close to a
 * limit flushes are half a second apart.
 */
export class UsageBook {
  readonly #options: UsageBookOptions;
  readonly #flusher: string;
  readonly #deltas = new Map<string, Map<string, Sum>>();
  #batch: UsageFlush | null = null;
  #seq = 0;
  #month = { minute: -1, name: '' };
  #flushed: { month: string; sums: Map<string, Sum> } = { month: '', sums: new Map() };
  #flushing: Promise<void> | null = null;
  #timer: NodeJS.Timeout | undefined;
  #nearTimer: NodeJS.Timeout | undefined;
  readonly #ledger: UsageLedger;

  constructor(options: UsageBookOptions) {
    this.#options = options;
    this.#flusher = options.newId('usage');
    this.#ledger = options.ledger ?? backendLedger;
  }

  /** Reads what was used so far and begins to flush. */
  async start(): Promise<void> {
    await this.#load();
    const { flushIntervalMs = 5_000, onError } = this.#options;
    this.#timer = setInterval(() => void this.flush().catch(onError), flushIntervalMs).unref();
  }

  count(place: string, delta: UsageDelta): void {
    const month = this.#thisMonth();
    let sums = this.#deltas.get(month);
    if (sums === undefined) this.#deltas.set(month, (sums = new Map<string, Sum>()));
    addTo(sums, place, delta);
  }

  /** The month of now; worked out once a minute, since every call asks. */
  #thisMonth(): string {
    const minute = Math.floor(this.#options.clock.nowMs() / 60_000);
    if (minute !== this.#month.minute) this.#month = { minute, name: monthOf(minute * 60_000) };
    return this.#month.name;
  }

  /** This month's usage of a place, by all processes as far as known, and by this one to the last call. */
  total(place: string): UsageDelta & { readonly month: string } {
    const month = this.#thisMonth();
    const sum: Sum = { ...noUsage };
    const parts = [
      this.#deltas.get(month)?.get(place),
      this.#batch?.rows.find((row) => row.month === month && row.place === place),
      this.#flushed.month === month ? this.#flushed.sums.get(place) : undefined,
    ];
    for (const part of parts) if (part !== undefined) increase(sum, part);
    return { month, ...sum };
  }

  /** Whether `more` would pass a monthly limit of a place: by default, whether it is reached. */
  isOver(place: string, meter: UsageMeter, limits: UsageLimits, more = 1): boolean {
    const limit = limits[meter];
    if (limit === null) return false;
    const { requests, ingressBytes, egressBytes } = this.total(place);
    const used = { requests, ingress: ingressBytes, egress: egressBytes }[meter];
    if (used >= nearShare * limit) this.#hurry();
    return used + more > limit;
  }

  /** Others may be as close to the limit as this process. */
  #hurry(): void {
    if (this.#timer === undefined || this.#nearTimer !== undefined) return;
    this.#nearTimer = setTimeout(() => {
      void this.flush()
        .catch(this.#options.onError)
        .finally(() => (this.#nearTimer = undefined));
    }, nearIntervalMs).unref();
  }

  /** Adds to the store what was counted, and learns what others have. Throws when the store does; nothing is lost then. */
  flush(): Promise<void> {
    this.#flushing ??= this.#flush().finally(() => (this.#flushing = null));
    return this.#flushing;
  }

  /** Flushes a last time. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    clearTimeout(this.#nearTimer);
    this.#timer = undefined;
    await this.#flushing?.catch(() => {});
    try {
      await this.flush();
    } catch (error) {
      this.#options.onError(error);
    }
  }

  async #flush(): Promise<void> {
    // A batch of before, where one is left, and then what was counted since.
    for (let turn = 0; turn < flushesMax; turn++) {
      this.#batch ??= this.#nextBatch();
      if (this.#batch === null) break;
      await this.#options.store.write(this.#ledger.flush, this.#batch);
      for (const row of this.#batch.rows) {
        if (row.month === this.#flushed.month) addTo(this.#flushed.sums, row.place, row);
      }
      this.#batch = null;
    }
    await this.#load();
  }

  #nextBatch(): UsageFlush | null {
    const rows: UsageRow[] = [];
    for (const [month, sums] of this.#deltas) {
      for (const [place, sum] of sums) {
        if (rows.length === flushRowsMax) break;
        rows.push({ place, month, ...sum });
        sums.delete(place);
      }
      if (sums.size === 0) this.#deltas.delete(month);
    }
    if (rows.length === 0) return null;
    this.#seq += 1;
    return { flusher: this.#flusher, seq: this.#seq, nowMs: this.#options.clock.nowMs(), rows };
  }

  async #load(): Promise<void> {
    const month = monthOf(this.#options.clock.nowMs());
    const rows = await this.#options.store.read((reader) => this.#ledger.load(reader, month));
    this.#flushed = { month, sums: new Map(rows.map(({ place, ...sum }) => [place, sum])) };
  }
}

/** Such as `2026-11`. */
export function monthOf(nowMs: number): string {
  return new Date(nowMs).toISOString().slice(0, 7);
}

/** Rows of a table of usage, as statements give them. */
export interface PlaceUsageRow {
  readonly place: string;
  readonly requests: number;
  readonly ingress_bytes: number;
  readonly egress_bytes: number;
}

export function toPlaceUsage(row: PlaceUsageRow): PlaceUsage {
  const { place, requests, ingress_bytes: ingressBytes, egress_bytes: egressBytes } = row;
  return { place, requests, ingressBytes, egressBytes };
}

const ofMonth = 'select backend as place, requests, ingress_bytes, egress_bytes from backend_usage where month = ?';

const backendLedger: UsageLedger = {
  flush: flushUsage,
  load: async (reader, month) => (await reader.rows<PlaceUsageRow>(ofMonth, [month])).map(toPlaceUsage),
};

function addTo(sums: Map<string, Sum>, place: string, delta: UsageDelta): void {
  const sum = sums.get(place);
  if (sum !== undefined) return increase(sum, delta);
  const { requests, ingressBytes, egressBytes } = delta;
  sums.set(place, { requests, ingressBytes, egressBytes });
}

function increase(sum: Sum, delta: UsageDelta): void {
  sum.requests += delta.requests;
  sum.ingressBytes += delta.ingressBytes;
  sum.egressBytes += delta.egressBytes;
}

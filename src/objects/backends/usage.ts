import type { Clock, IdSource } from '../../kernel/ids.ts';
import type { Reader, Store } from '../../kernel/store/store.ts';
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

export interface UsageBookOptions {
  readonly store: Store;
  /** The wall clock: months are those of the calendar, in UTC. */
  readonly clock: Clock;
  readonly newId: IdSource;
  readonly onError: (error: unknown) => void;
  readonly flushIntervalMs?: number;
}

interface Sum {
  requests: number;
  ingressBytes: number;
  egressBytes: number;
}

const noUsage: UsageDelta = { requests: 0, ingressBytes: 0, egressBytes: 0 };

/**
 * Counts what backends are used for, month by month. Counting is done in memory; every few seconds it is added to the
 * store, where the processes of one installation meet. A batch that is being flushed stays one batch under one number
 * until the store has confirmed it, so that a lost answer neither loses nor doubles it.
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

  constructor(options: UsageBookOptions) {
    this.#options = options;
    this.#flusher = options.newId('usage');
  }

  /** Reads what was used so far and begins to flush. */
  async start(): Promise<void> {
    await this.#load();
    const { flushIntervalMs = 5_000, onError } = this.#options;
    this.#timer = setInterval(() => void this.flush().catch(onError), flushIntervalMs).unref();
  }

  count(backend: string, delta: UsageDelta): void {
    const month = this.#thisMonth();
    let sums = this.#deltas.get(month);
    if (sums === undefined) this.#deltas.set(month, (sums = new Map<string, Sum>()));
    addTo(sums, backend, delta);
  }

  /** The month of now; worked out once a minute, since every call asks. */
  #thisMonth(): string {
    const minute = Math.floor(this.#options.clock.nowMs() / 60_000);
    if (minute !== this.#month.minute) this.#month = { minute, name: monthOf(minute * 60_000) };
    return this.#month.name;
  }

  /** This month's usage of a backend, by all processes as far as known, and by this one to the last call. */
  total(backend: string): UsageDelta & { readonly month: string } {
    const month = monthOf(this.#options.clock.nowMs());
    const sum: Sum = { ...noUsage };
    const parts = [
      this.#deltas.get(month)?.get(backend),
      this.#batch?.rows.find((row) => row.month === month && row.backend === backend),
      this.#flushed.month === month ? this.#flushed.sums.get(backend) : undefined,
    ];
    for (const part of parts) if (part !== undefined) increase(sum, part);
    return { month, ...sum };
  }

  /** Whether a monthly limit of a backend is reached. */
  isOver(backend: string, meter: UsageMeter, limits: UsageLimits): boolean {
    const limit = limits[meter];
    if (limit === null) return false;
    const { requests, ingressBytes, egressBytes } = this.total(backend);
    return { requests, ingress: ingressBytes, egress: egressBytes }[meter] >= limit;
  }

  /** Adds to the store what was counted, and learns what others have. Throws when the store does; nothing is lost then. */
  flush(): Promise<void> {
    this.#flushing ??= this.#flush().finally(() => (this.#flushing = null));
    return this.#flushing;
  }

  /** Flushes a last time. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#flushing?.catch(() => {});
    try {
      await this.flush();
    } catch (error) {
      this.#options.onError(error);
    }
  }

  async #flush(): Promise<void> {
    // A batch of before, where one is left, and then what was counted since.
    for (let turn = 0; turn < 2; turn++) {
      this.#batch ??= this.#nextBatch();
      if (this.#batch === null) break;
      await this.#options.store.write(flushUsage, this.#batch);
      for (const row of this.#batch.rows) {
        if (row.month === this.#flushed.month) addTo(this.#flushed.sums, row.backend, row);
      }
      this.#batch = null;
    }
    await this.#load();
  }

  #nextBatch(): UsageFlush | null {
    const rows: UsageRow[] = [];
    for (const [month, sums] of this.#deltas) for (const [backend, sum] of sums) rows.push({ backend, month, ...sum });
    if (rows.length === 0) return null;
    this.#deltas.clear();
    this.#seq += 1;
    return { flusher: this.#flusher, seq: this.#seq, nowMs: this.#options.clock.nowMs(), rows };
  }

  async #load(): Promise<void> {
    const month = monthOf(this.#options.clock.nowMs());
    const rows = await this.#options.store.read((reader) => usageOfMonth(reader, month));
    this.#flushed = { month, sums: new Map(rows.map((row) => [row.backend, { ...row }])) };
  }
}

/** Such as `2026-11`. */
export function monthOf(nowMs: number): string {
  return new Date(nowMs).toISOString().slice(0, 7);
}

async function usageOfMonth(reader: Reader, month: string): Promise<(UsageDelta & { readonly backend: string })[]> {
  const rows = await reader.rows<{ backend: string; requests: number; ingress_bytes: number; egress_bytes: number }>(
    'select backend, requests, ingress_bytes, egress_bytes from backend_usage where month = ?',
    [month],
  );
  return rows.map(({ backend, requests, ingress_bytes, egress_bytes }) => ({
    backend,
    requests,
    ingressBytes: ingress_bytes,
    egressBytes: egress_bytes,
  }));
}

function addTo(sums: Map<string, Sum>, backend: string, delta: UsageDelta): void {
  const sum = sums.get(backend);
  if (sum !== undefined) return increase(sum, delta);
  const { requests, ingressBytes, egressBytes } = delta;
  sums.set(backend, { requests, ingressBytes, egressBytes });
}

function increase(sum: Sum, delta: UsageDelta): void {
  sum.requests += delta.requests;
  sum.ingressBytes += delta.ingressBytes;
  sum.egressBytes += delta.egressBytes;
}

import { isStoreTrouble } from '../../kernel/store/store.ts';

export interface FreshCacheOptions {
  readonly entriesMax: number;
  /** How long an answer counts without asking again. */
  readonly freshMs: number;
  /** How long it counts while the store cannot be asked. */
  readonly staleMs: number;
  /** Milliseconds that only grow. */
  readonly nowMs: () => number;
}

interface Entry<V> {
  readonly value: V;
  /** When reading it began: what was committed later may be missing in it. */
  readonly readAtMs: number;
  /** Set once the store could not be asked: until then the old answer is given without trying again. */
  retryAtMs: number | null;
}

interface Reading<V> {
  readonly beganAtMs: number;
  readonly result: Promise<V | null>;
}

/**
 * What was read from the store a moment ago, by key; the least recently used goes first. Nothing is kept that was read
 * before a `clear`, not even when the answer comes after it. That something is not there is not kept either: whoever asks
 * for made-up keys must not drive out those that are used.
 */
export class FreshCache<V> {
  readonly #options: FreshCacheOptions;
  readonly #entries = new Map<string, Entry<V>>();
  readonly #reading = new Map<string, Reading<V>>();
  #generation = 0;

  constructor(options: FreshCacheOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  /**
   * The kept answer while it is fresh, else what `read` gives; `null` is "there is none". While the store is in trouble the
   * kept answer is given until it is stale, and then the store's error is thrown.
   */
  async get(key: string, read: () => Promise<V | null>): Promise<V | null> {
    const { freshMs, staleMs, nowMs } = this.#options;
    const now = nowMs();
    const entry = this.#entries.get(key);
    if (entry !== undefined && now - entry.readAtMs < freshMs) return this.#touch(key, entry);
    if (entry === undefined || entry.retryAtMs === null || now - entry.readAtMs >= staleMs) {
      return this.#read(key, read, now);
    }
    if (now >= entry.retryAtMs) {
      entry.retryAtMs = now + freshMs;
      // Nobody waits for this one. That the store is still in trouble is no news.
      this.#read(key, read, now).catch(() => {});
    }
    return this.#touch(key, entry);
  }

  /** Forgets all: something was changed. */
  clear(): void {
    this.#generation++;
    this.#entries.clear();
    this.#reading.clear();
  }

  #read(key: string, read: () => Promise<V | null>, now: number): Promise<V | null> {
    const underWay = this.#reading.get(key);
    if (underWay !== undefined && now - underWay.beganAtMs < this.#options.freshMs) return underWay.result;
    const reading: Reading<V> = { beganAtMs: now, result: this.#readAndKeep(key, read, now) };
    this.#reading.set(key, reading);
    const forget = () => {
      if (this.#reading.get(key) === reading) this.#reading.delete(key);
    };
    reading.result.then(forget, forget);
    return reading.result;
  }

  async #readAndKeep(key: string, read: () => Promise<V | null>, readAtMs: number): Promise<V | null> {
    const generation = this.#generation;
    try {
      const value = await read();
      if (generation === this.#generation) this.#keep(key, value, readAtMs);
      return value;
    } catch (error) {
      const { freshMs, staleMs, nowMs } = this.#options;
      const entry = this.#entries.get(key);
      const now = nowMs();
      if (!isStoreTrouble(error) || entry === undefined || now - entry.readAtMs >= staleMs) throw error;
      entry.retryAtMs = now + freshMs;
      return entry.value;
    }
  }

  #keep(key: string, value: V | null, readAtMs: number): void {
    const known = this.#entries.get(key);
    // A slow reading may end after a newer one.
    if (known !== undefined && known.readAtMs > readAtMs) return;
    this.#entries.delete(key);
    if (value === null) return;
    this.#entries.set(key, { value, readAtMs, retryAtMs: null });
    if (this.#entries.size <= this.#options.entriesMax) return;
    // A Map keeps the order of insertion, and what is used is inserted again.
    const [oldest] = this.#entries.keys();
    this.#entries.delete(oldest!);
  }

  #touch(key: string, entry: Entry<V>): V {
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }
}

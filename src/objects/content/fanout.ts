import { HoldfastError } from '../../kernel/errors/errors.ts';

/** How many bytes may wait for one reader before the source is made to wait for it. */
const waitingBytesMax = 524_288;

export interface FanoutOptions {
  readonly readers: number;
  /** How many readers must reach the end; when others stall they are left behind. */
  readonly needed: number;
  /** How long the source waits for a reader before it goes on without it. */
  readonly stallMs: number;
}

/**
 * One source read by several readers at once, each at its own pace within a bound. The source goes at the pace of the
 * slowest; a reader that stalls is given up when enough others go on. Nothing is kept but what is on its way.
 */
export class Fanout {
  readonly #options: FanoutOptions;
  readonly #readers: Reader[];
  #wake: (() => void) | null = null;

  constructor(options: FanoutOptions) {
    this.#options = options;
    const wake = () => this.#wake?.();
    this.#readers = Array.from({ length: options.readers }, () => new Reader(wake));
  }

  /** What reader `index` reads. To be read once. */
  reader(index: number): AsyncIterable<Buffer> {
    return this.#readers[index]!.chunks();
  }

  /** Says that a reader will not read on: its backend failed. */
  giveUp(index: number): void {
    this.#readers[index]!.stop(new HoldfastError('unavailable', 'The backend failed.'));
  }

  /** Reads the source to its end for all readers. Its error becomes theirs, and is thrown. */
  async pump(source: AsyncIterable<Buffer>): Promise<void> {
    try {
      for await (const chunk of source) {
        for (const reader of this.#readers) reader.push(chunk);
        if (this.#readers.some((reader) => reader.isFull)) await this.#room();
        if (this.#readers.every((reader) => reader.isStopped)) return;
      }
      for (const reader of this.#readers) reader.end();
    } catch (error) {
      for (const reader of this.#readers) reader.stop(error);
      throw error;
    }
  }

  /** Waits until every reader has room, or those without are given up. */
  async #room(): Promise<void> {
    let deadlineAtMs = performance.now() + this.#options.stallMs;
    for (;;) {
      const full = this.#readers.filter((reader) => reader.isFull);
      if (full.length === 0) return;
      const going = this.#readers.filter((reader) => !reader.isStopped).length - full.length;
      const leftMs = deadlineAtMs - performance.now();
      if (leftMs <= 0 && going >= this.#options.needed) {
        const message = 'The backend took no bytes for too long, and the others went on without it.';
        for (const reader of full) reader.stop(new HoldfastError('unavailable', message));
        return;
      }
      // Without enough others there is nothing to do but wait; the backend's own deadline ends it.
      if (leftMs <= 0) deadlineAtMs = performance.now() + this.#options.stallMs;
      await this.#change(Math.max(1, leftMs));
    }
  }

  #change(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = null;
        resolve();
      };
    });
  }
}

/** The queue of one reader. */
class Reader {
  readonly #onChange: () => void;
  #queue: Buffer[] = [];
  #waitingBytes = 0;
  #state: 'open' | 'ended' | 'stopped' = 'open';
  #error: unknown = null;
  #resume: (() => void) | null = null;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  get isFull(): boolean {
    return this.#state === 'open' && this.#waitingBytes >= waitingBytesMax;
  }

  get isStopped(): boolean {
    return this.#state === 'stopped';
  }

  push(chunk: Buffer): void {
    if (this.#state !== 'open') return;
    this.#queue.push(chunk);
    this.#waitingBytes += chunk.length;
    this.#notify();
  }

  end(): void {
    if (this.#state === 'open') this.#state = 'ended';
    this.#notify();
  }

  stop(error: unknown): void {
    if (this.#state === 'stopped') return;
    this.#state = 'stopped';
    this.#error = error;
    this.#queue = [];
    this.#waitingBytes = 0;
    this.#notify();
    this.#onChange();
  }

  async *chunks(): AsyncGenerator<Buffer> {
    for (;;) {
      if (this.#state === 'stopped') throw this.#error;
      const chunk = this.#queue.shift();
      if (chunk !== undefined) {
        this.#waitingBytes -= chunk.length;
        this.#onChange();
        yield chunk;
      } else if (this.#state === 'ended') {
        return;
      } else {
        await new Promise<void>((resolve) => (this.#resume = resolve));
      }
    }
  }

  #notify(): void {
    const resume = this.#resume;
    this.#resume = null;
    resume?.();
  }
}

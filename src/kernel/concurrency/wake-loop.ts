export interface WakeLoopOptions {
  /** Looks once, and does what there is. Gives in how many milliseconds to look again: 0 for at once, `null` for when woken. */
  look(): Promise<number | null>;
  /** When to look again after a look that threw. */
  readonly failedMs: number;
  onError(error: unknown): void;
}

/**
 * Looks for work when somebody says that there may be some, one look at a time, and once in a while by itself: a lost
 * wake-up only delays.
 */
export class WakeLoop {
  readonly #options: WakeLoopOptions;
  #running: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;
  #isWanted = false;
  #isStopped = false;

  constructor(options: WakeLoopOptions) {
    this.#options = options;
  }

  /** Whether a look is planned. */
  get isPlanned(): boolean {
    return this.#timer !== null;
  }

  /** Says that there may be something new. Cheap, and may be called at any rate. */
  wake(): void {
    if (this.#isStopped) return;
    this.#isWanted = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
      // Wanted after the last look, and before it was known to be the last.
      if (this.#isWanted) this.wake();
    });
  }

  /** Plans the next look, in the place of one that was planned. */
  plan(afterMs: number): void {
    if (this.#isStopped) return;
    this.#forget();
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.wake();
    }, afterMs).unref();
  }

  /** Looks no more; resolves when the look under way has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#forget();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { look, failedMs, onError } = this.#options;
    let nextMs: number | null = null;
    try {
      while (this.#isWanted && !this.#isStopped) {
        this.#isWanted = false;
        nextMs = await look();
        if (nextMs === 0) this.#isWanted = true;
      }
    } catch (error) {
      onError(error);
      nextMs = failedMs;
    }
    if (nextMs === null) this.#forget();
    else this.plan(nextMs);
  }

  #forget(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}

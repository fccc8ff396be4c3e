/** Bounds how many bodies run at once; the others wait in order. */
export class Slots {
  readonly #max: number;
  #taken = 0;
  readonly #line: (() => void)[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  async run<T>(body: () => Promise<T>): Promise<T> {
    await this.take();
    try {
      return await body();
    } finally {
      this.release();
    }
  }

  /** Resolves when a slot is this caller's; it must be given back with `release`. */
  async take(): Promise<void> {
    if (this.#taken < this.#max) {
      this.#taken++;
      return;
    }
    await new Promise<void>((resolve) => this.#line.push(resolve));
  }

  /** Whoever waits takes over the slot, so that nobody who comes between can take it. */
  release(): void {
    const next = this.#line.shift();
    if (next === undefined) this.#taken--;
    else next();
  }
}

/** Those who wait for a signal to one operation. */
export class Wakeups {
  readonly #waiting = new Map<string, Set<() => void>>();

  wake(id: string): void {
    for (const resolve of this.#waiting.get(id) ?? []) resolve();
  }

  /** Resolves at the next `wake`, when `atMostMs` have passed, or when the signal aborts. */
  async wait(id: string, atMostMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const waiting = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiting);
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        waiting.delete(done);
        if (waiting.size === 0) this.#waiting.delete(id);
        resolve();
      };
      const timer = setTimeout(done, atMostMs);
      waiting.add(done);
      signal.addEventListener('abort', done);
    });
  }
}

import { abortable } from './abortable.ts';

/**
 * Runs the changes of one key one after another. A put whose caller gave up may still be under way in the operating
 * system; the delete that clears up after it must not overtake it, or the blob would appear when it is believed gone.
 */
export class Lanes {
  readonly #tails = new Map<string, Promise<unknown>>();

  /** Runs `work` at its turn. With the signal the wait ends, or the caller's part of the work; the turn lasts as long as the work. */
  async run<T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    for (let before = this.#tails.get(key); before !== undefined; before = this.#tails.get(key)) {
      await abortable(before, signal);
    }
    const working = work();
    const tail = working.then(
      () => undefined,
      () => undefined,
    );
    this.#tails.set(key, tail);
    void tail.then(() => this.#tails.delete(key));
    return abortable(working, signal);
  }

  /** Resolves when no change is under way. */
  async idle(): Promise<void> {
    while (this.#tails.size > 0) await Promise.all(this.#tails.values());
  }
}

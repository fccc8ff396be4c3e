import { HoldfastError } from '../errors/errors.ts';
import { abortable } from './abortable.ts';

const waitingMax = 1_000;

interface Line {
  /** Resolves when the last one in the line has ended, however it did. */
  tail: Promise<void>;
  count: number;
}

/** Does work of the same key one after another, in the order in which it came; other keys do not wait. */
export class KeyQueue {
  readonly #lines = new Map<string, Line>();

  /**
   * Does `work` at its turn, which lasts as long as the work does. While it waits, the signal ends the wait: its reason is
   * thrown, and the work is not begun. Throws `overloaded` when too many wait already.
   */
  async run<T>(key: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const line = this.#lines.get(key) ?? { tail: Promise.resolve(), count: 0 };
    if (line.count >= waitingMax) {
      throw new HoldfastError('overloaded', `More than ${waitingMax} changes of ${key} wait for each other.`);
    }
    this.#lines.set(key, line);
    line.count++;
    const before = line.tail;
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    line.tail = before.then(() => ended);
    try {
      await (signal === undefined ? before : abortable(before, signal));
      // It may have come together with the turn.
      signal?.throwIfAborted();
      return await work();
    } finally {
      end();
      if (--line.count === 0) this.#lines.delete(key);
    }
  }

  /** How many keys are worked on. */
  get size(): number {
    return this.#lines.size;
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (this.#lines.size > 0) await Promise.all([...this.#lines.values()].map(({ tail }) => tail));
  }
}

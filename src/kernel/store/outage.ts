import { isStoreTrouble } from './store.ts';

/** What was read, and whether it was told from memory. */
export interface Told<T> {
  readonly value: T;
  readonly isStale: boolean;
}

/**
 * Remembers that the store cannot be reached, so that only the first reads wait for it in vain. While it is away, what is
 * remembered is told at once, and one read at a time looks whether it is back.
 */
export class Outage {
  #isAway = false;
  #isLooking = false;

  /** Reads from the store. Tells instead what is `remembered`, when that is not `null` and the store is away. */
  async read<T>(read: () => Promise<T>, remembered: () => T | null): Promise<Told<T>> {
    const known = this.#isAway ? remembered() : null;
    if (known !== null) {
      void this.#look(read);
      return { value: known, isStale: true };
    }
    try {
      const value = await read();
      this.#isAway = false;
      return { value, isStale: false };
    } catch (error) {
      this.#isAway = isStoreTrouble(error);
      const value = this.#isAway ? remembered() : null;
      if (value === null) throw error;
      return { value, isStale: true };
    }
  }

  async #look(read: () => Promise<unknown>): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      await read();
      this.#isAway = false;
    } catch (error) {
      this.#isAway = isStoreTrouble(error);
    } finally {
      this.#isLooking = false;
    }
  }
}

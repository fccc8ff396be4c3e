import type { Clock } from '../../kernel/ids.ts';
import { type Store, isStoreTrouble } from '../../kernel/store/store.ts';
import { type AbandonedWrite, abandonWrite } from '../ledger/intents.ts';

export interface LeftoversOptions {
  readonly store: Store;
  readonly clock: Clock;
  onError(error: unknown, about: string): void;
}

/**
 * Writes of this process that failed while the store did not answer. Their intents hold room and nobody else gives them up
 * while this process lives, so that it has to remember them until the store answers again.
 */
export class Leftovers {
  readonly #options: LeftoversOptions;
  readonly #writes = new Map<string, AbandonedWrite>();

  constructor(options: LeftoversOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#writes.size;
  }

  /** Waits for a claim of room. One whose answer is lost may stand, with nobody to use it. */
  async watchClaim<R>(write: Omit<AbandonedWrite, 'backends'>, claim: Promise<R>): Promise<R> {
    try {
      return await claim;
    } catch (error) {
      // What certainly did not happen leaves nothing: a long outage must not fill the memory with refused claims.
      if (isStoreTrouble(error) && !hasNotHappened(error)) this.abandonLater({ ...write, backends: [] });
      throw error;
    }
  }

  /** Gives a write up: now, or later when the store does not answer. Throws nothing. */
  async abandon(write: AbandonedWrite): Promise<void> {
    try {
      await this.#abandonNow(write);
    } catch (error) {
      this.abandonLater(write);
      this.#options.onError(error, 'a failed write is given up later');
    }
  }

  /** For a write whose commit was not answered. */
  abandonLater(write: AbandonedWrite): void {
    this.#writes.set(write.writeId, write);
  }

  /**
   * Gives up what is left, now that the store answers. A write whose commit was not answered is among it: if it was
   * committed it has no intents left, and if it is not by now, it never will be. Throws when the store does not answer.
   */
  async giveUp(): Promise<void> {
    for (const write of this.#writes.values()) {
      await this.#abandonNow(write);
      this.#writes.delete(write.writeId);
    }
  }

  async #abandonNow(write: AbandonedWrite): Promise<void> {
    const { store, clock } = this.#options;
    await store.write(abandonWrite, { write, reason: 'failed write', nowMs: clock.nowMs() });
  }
}

function hasNotHappened(error: unknown): boolean {
  return (error as { details?: { outcome?: unknown } }).details?.outcome === 'none';
}

import type { Clock } from '../../kernel/ids.ts';
import type { Store } from '../../kernel/store/store.ts';
import type { ObjectBackendRegistry } from '../backends/registry.ts';
import { settleBadCopy } from '../checking/settle-bad-copy.ts';
import type { Copy } from '../object.ts';

export interface BadCopiesOptions {
  readonly store: Store;
  readonly registry: ObjectBackendRegistry;
  readonly clock: Clock;
  /** Before a copy is looked at again that could be neither cleared nor replaced; it doubles each time. */
  readonly retryWaitMs: number;
  onError(error: unknown, about: string): void;
}

/** How many copies are under suspicion at most; one that is passed over is reported again by the next read. */
const suspectsMax = 1_000;
const attemptsMax = 20;
const lastWaitMs = 600_000;

interface Suspicion {
  readonly id: string;
  readonly copy: Copy;
  readonly attempt: number;
}

/**
 * Copies that a read found not to be what was written. Each is looked at once more, and is only let go once another one was
 * read whole and is right.
 */
export class BadCopies {
  readonly #options: BadCopiesOptions;
  readonly #suspects = new Set<string>();
  #last: Promise<void> = Promise.resolve();

  constructor(options: BadCopiesOptions) {
    this.#options = options;
  }

  /** Notes a bad copy; it is looked at when those before it have been, and later again while the others are away. */
  report(copy: Copy): void {
    const id = `${copy.backend}/${copy.storageKey}`;
    if (this.#suspects.has(id) || this.#suspects.size >= suspectsMax) return;
    this.#suspects.add(id);
    this.#enqueue({ id, copy, attempt: 1 });
  }

  /** Waits for what was reported so far. */
  settle(): Promise<void> {
    return this.#last;
  }

  #enqueue(suspicion: Suspicion): void {
    this.#last = this.#lookAfter(this.#last, suspicion);
  }

  async #lookAfter(before: Promise<void>, suspicion: Suspicion): Promise<void> {
    await before;
    const { id, copy, attempt } = suspicion;
    const settlement = await settleBadCopy(this.#options, copy).catch((error: unknown) => {
      this.#options.onError(error, 'a bad copy was not replaced');
      return 'open' as const;
    });
    if (!['open', 'kept'].includes(settlement) || attempt === attemptsMax) {
      this.#suspects.delete(id);
      return;
    }
    const waitMs = Math.min(this.#options.retryWaitMs * 2 ** (attempt - 1), lastWaitMs);
    setTimeout(() => this.#enqueue({ ...suspicion, attempt: attempt + 1 }), waitMs).unref();
  }
}

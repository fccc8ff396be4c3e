import type { Clock } from '../../kernel/ids.ts';
import type { Store } from '../../kernel/store/store.ts';
import type { ObjectBackendRegistry } from '../backends/registry.ts';
import { replaceBadCopy } from '../ledger/replace-bad-copy.ts';
import type { Copy } from '../object.ts';
import { copiesOf } from '../queries/queries.ts';
import { verifyCopy } from './verify-copy.ts';

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
const lookTimeoutMs = 60_000;
/** A copy that comes more slowly than this is not waited for. */
const bytesPerMs = 1_000;

interface Suspicion {
  readonly id: string;
  readonly copy: Copy;
  readonly reason: string;
  readonly attempt: number;
}

/**
 * Copies that a read found not to be what was written. One bad answer is no proof, and the ledger's word that there is
 * another copy is no bytes: each is looked at once more, and is only let go once another one was read whole and is right.
 */
export class BadCopies {
  readonly #options: BadCopiesOptions;
  readonly #suspects = new Set<string>();
  #last: Promise<void> = Promise.resolve();

  constructor(options: BadCopiesOptions) {
    this.#options = options;
  }

  /** Notes a bad copy; it is looked at when those before it have been, and later again while the others are away. */
  report(copy: Copy, reason: string): void {
    const id = `${copy.backend}/${copy.storageKey}`;
    if (this.#suspects.has(id) || this.#suspects.size >= suspectsMax) return;
    this.#suspects.add(id);
    this.#enqueue({ id, copy, reason, attempt: 1 });
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
    const { id, attempt } = suspicion;
    const isSettled = await this.#settleOne(suspicion).catch((error: unknown) => {
      this.#options.onError(error, 'a bad copy was not replaced');
      return false;
    });
    if (isSettled || attempt === attemptsMax) {
      this.#suspects.delete(id);
      return;
    }
    const waitMs = Math.min(this.#options.retryWaitMs * 2 ** (attempt - 1), lastWaitMs);
    setTimeout(() => this.#enqueue({ ...suspicion, attempt: attempt + 1 }), waitMs).unref();
  }

  /** Gives whether the copy was found good, or let go. */
  async #settleOne({ copy, reason }: Suspicion): Promise<boolean> {
    const { store, clock } = this.#options;
    const found = await this.#look(copy);
    if (found !== 'bad') return found === 'good';
    const { contentId, part, backend, storageKey } = copy;
    const copies = await store.read((reader) => copiesOf(reader, contentId, part));
    if (!copies.some((one) => one.backend === backend && one.storageKey === storageKey)) return true;
    for (const other of copies) {
      if (other.backend === backend || (await this.#look(other)) !== 'good') continue;
      const bad = { contentId, part, backend, storageKey, good: other, reason, nowMs: clock.nowMs() };
      return store.write(replaceBadCopy, bad);
    }
    return false;
  }

  /** Reads a copy whole. A backend that cannot be reached tells nothing of it. */
  async #look(copy: Copy): Promise<'good' | 'bad' | 'unknown'> {
    const { registry } = this.#options;
    const signal = AbortSignal.timeout(lookTimeoutMs + Math.ceil(copy.sizeBytes / bytesPerMs));
    return verifyCopy(copy, registry, signal);
  }
}

import type { Clock } from '../../kernel/ids.ts';
import type { Store } from '../../kernel/store/store.ts';
import type { ObjectBackendRegistry } from '../backends/registry.ts';
import { chunksOf } from '../content/content.ts';
import { replaceBadCopy } from '../ledger/replace-bad-copy.ts';
import type { Copy } from '../object.ts';
import { copiesOf } from '../queries/queries.ts';
import { readCopy } from './read-copy.ts';

export interface BadCopiesOptions {
  readonly store: Store;
  readonly registry: ObjectBackendRegistry;
  readonly clock: Clock;
  onError(error: unknown, about: string): void;
}

/** How many reports wait at most; a copy that is passed over is reported again by the next read. */
const waitingMax = 1_000;
const lookTimeoutMs = 60_000;
/** A copy that comes more slowly than this is not waited for. */
const bytesPerMs = 1_000;

/**
 * Copies that a read found not to be what was written. One bad answer is no proof, and the ledger's word that there is
 * another copy is no bytes: each is looked at once more, and is only let go once another one was read whole and is right.
 */
export class BadCopies {
  readonly #options: BadCopiesOptions;
  readonly #waiting = new Set<string>();
  #last: Promise<void> = Promise.resolve();

  constructor(options: BadCopiesOptions) {
    this.#options = options;
  }

  /** Notes a bad copy; it is looked at when those before it have been. */
  report(copy: Copy, reason: string): void {
    const id = `${copy.backend}/${copy.storageKey}`;
    if (this.#waiting.has(id) || this.#waiting.size >= waitingMax) return;
    this.#waiting.add(id);
    this.#last = this.#last
      .then(() => this.#replace(copy, reason))
      .catch((error: unknown) => this.#options.onError(error, 'a bad copy was not replaced'))
      .finally(() => this.#waiting.delete(id));
  }

  /** Waits for what was reported so far. */
  settle(): Promise<void> {
    return this.#last;
  }

  async #replace(copy: Copy, reason: string): Promise<void> {
    const { store, clock } = this.#options;
    if ((await this.#look(copy)) !== 'bad') return;
    const { contentId, part, backend, storageKey } = copy;
    for (const other of await store.read((reader) => copiesOf(reader, contentId, part))) {
      if (other.backend === backend || (await this.#look(other)) !== 'good') continue;
      const bad = { contentId, part, backend, storageKey, good: other, reason, nowMs: clock.nowMs() };
      await store.write(replaceBadCopy, bad);
      return;
    }
  }

  /** Reads a copy whole. A backend that cannot be reached tells nothing of it. */
  async #look(copy: Copy): Promise<'good' | 'bad' | 'unknown'> {
    const { registry } = this.#options;
    const signal = AbortSignal.timeout(lookTimeoutMs + Math.ceil(copy.sizeBytes / bytesPerMs));
    let isBad = false;
    try {
      const open = await readCopy([copy], null, { registry, signal, onBadCopy: () => (isBad = true) });
      for await (const chunk of chunksOf(open.content)) void chunk;
      return 'good';
    } catch {
      return isBad ? 'bad' : 'unknown';
    }
  }
}

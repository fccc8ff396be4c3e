import type { GapWatch, Store } from '../store/store.ts';
import type { Event } from './event.ts';
import { eventsAfter } from './queries.ts';

/** `more`: there may be more at once. `gap`: somebody may still write an event before the next one. `done`: that was all. */
export type OutboxRest = 'more' | 'gap' | 'done';

/**
 * Reads the outbox in order of id, and none left out. On an engine with several writers ids are taken before they are
 * committed, so a gap may still be filled: reading stops at a gap until everybody who was in flight when it was first seen
 * has ended (`Store.gapsAreFinal`).
 */
export class OutboxReader {
  readonly #store: Store;
  /** All gaps below `throughId` are judged together: who could fill one of them was in flight when it was first seen. */
  #gap: { readonly throughId: number; readonly watch: GapWatch; readonly isFinal: boolean } | null = null;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Events after an id, at most `limit`, up to the first gap that is not known to be final. */
  async after(id: number, limit: number): Promise<{ readonly events: readonly Event[]; readonly rest: OutboxRest }> {
    const page = await this.#store.read((reader) => eventsAfter(reader, id, limit));
    let lastId = id;
    for (const [index, event] of page.entries()) {
      if (event.id !== lastId + 1) {
        const gap = await this.#inspectGap(event.id, page.at(-1)!.id);
        if (gap !== 'passable') return { events: page.slice(0, index), rest: gap };
      }
      lastId = event.id;
    }
    return { events: page, rest: page.length === limit ? 'more' : 'done' };
  }

  /** Forgets what it knows of gaps, before a long rest. */
  forget(): void {
    this.#gap = null;
  }

  /** A gap may be passed only by a page that was read after nobody could fill it any more. */
  async #inspectGap(nextId: number, newestId: number): Promise<'passable' | 'more' | 'gap'> {
    const known = this.#gap !== null && nextId <= this.#gap.throughId ? this.#gap : null;
    if (known?.isFinal === true) return 'passable';
    const { final: isFinal, watch } = await this.#store.gapsAreFinal(known?.watch ?? null);
    this.#gap = { throughId: known?.throughId ?? newestId, watch, isFinal };
    return isFinal ? 'more' : 'gap';
  }
}

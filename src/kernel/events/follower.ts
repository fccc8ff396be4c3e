import { WakeLoop } from '../concurrency/wake-loop.ts';
import type { Store } from '../store/store.ts';
import type { Event } from './event.ts';
import { OutboxReader, type OutboxRest } from './outbox.ts';
import { lastEventId } from './queries.ts';

export const eventsTopic = 'events';
const pageSize = 500;
const pollMs = 1_000;
const gapRetryMs = 15;
/** How many transactions may be in flight at once between all replicas. */
const overlap = 1_000;

type Listener = (event: Event) => void;

/**
 * Reads the outbox once for the whole process and hands each event to those who wait for it, in order of id and none left
 * out. Just after it wakes it may tell of events from before: listeners pass over what they know by `seq` or `id`. It
 * rests while nobody listens.
 */
export class EventFollower {
  readonly #store: Store;
  readonly #outbox: OutboxReader;
  readonly #onError: (error: unknown) => void;
  readonly #byResource = new Map<string, Set<Listener>>();
  readonly #all = new Set<Listener>();
  readonly #unsubscribe: () => void;
  readonly #loop: WakeLoop;
  #lastId: Promise<number> | null = null;

  constructor(store: Store, onError: (error: unknown) => void) {
    this.#store = store;
    this.#outbox = new OutboxReader(store);
    this.#onError = onError;
    this.#loop = new WakeLoop({ look: () => this.#look(), failedMs: pollMs, onError });
    this.#unsubscribe = store.subscribe(eventsTopic, () => this.wake());
  }

  /**
   * Listens to one resource, or to all with `null`. Resolves once every event committed from now on will be heard, so
   * that the caller can then read the past without losing what happens in between. Up to `fromId` nothing will be told,
   * and nothing is missing.
   */
  async listen(resource: string | null, listener: Listener): Promise<{ end: () => void; fromId: number }> {
    const listeners = resource === null ? this.#all : (this.#byResource.get(resource) ?? new Set());
    if (resource !== null) this.#byResource.set(resource, listeners);
    listeners.add(listener);
    const end = () => {
      listeners.delete(listener);
      const isLast = resource !== null && listeners.size === 0;
      // Ended twice, it must not take away those who came later.
      if (isLast && this.#byResource.get(resource) === listeners) this.#byResource.delete(resource);
    };
    try {
      this.#lastId ??= this.#start();
      const fromId = await this.#lastId;
      // A look that is planned, be it sooner, stays planned.
      if (!this.#loop.isPlanned) this.#loop.plan(pollMs);
      return { end, fromId };
    } catch (error) {
      this.#lastId = null;
      end();
      throw error;
    }
  }

  /** Says that there may be something new. Cheap, and may be called at any rate. */
  wake(): void {
    if (this.#lastId !== null) this.#loop.wake();
  }

  close(): void {
    this.#unsubscribe();
    void this.#loop.stop();
  }

  /** With several writers, an id below the highest one may still be in flight: those are read again, and told twice. */
  async #start(): Promise<number> {
    const newest = await this.#store.read(lastEventId);
    return this.#store.exclusive ? newest : Math.max(0, newest - overlap);
  }

  async #look(): Promise<number | null> {
    // Nobody listened any more, and it forgot where it was.
    if (this.#lastId === null) return null;
    const rest = await this.#readPage(this.#lastId);
    if (this.#all.size === 0 && this.#byResource.size === 0) return this.#rest();
    if (rest === 'more') return 0;
    return rest === 'gap' ? gapRetryMs : pollMs;
  }

  async #readPage(lastId: Promise<number>): Promise<OutboxRest> {
    const { events, rest } = await this.#outbox.after(await lastId, pageSize);
    for (const event of events) {
      this.#lastId = Promise.resolve(event.id);
      this.#deliver(event);
    }
    return rest;
  }

  #deliver(event: Event): void {
    for (const listener of this.#byResource.get(event.resource) ?? []) this.#tell(listener, event);
    for (const listener of this.#all) this.#tell(listener, event);
  }

  /** One that throws must not keep the event from the others. */
  #tell(listener: Listener, event: Event): void {
    try {
      listener(event);
    } catch (error) {
      this.#onError(error);
    }
  }

  #rest(): null {
    this.#lastId = null;
    this.#outbox.forget();
    return null;
  }
}

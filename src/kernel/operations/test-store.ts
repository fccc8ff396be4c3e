import { HoldfastError } from '../errors/errors.ts';
import type { GapWatch, Reader, Store } from '../store/store.ts';
import type { Transaction } from '../store/transaction.ts';

export interface SeenWrite {
  readonly name: string;
  readonly params: unknown;
}

/** A real store that a test can make fail: before a write, after it was committed, or for good. */
export class FaultyStore implements Store {
  readonly inner: Store;
  /** May wait, or throw instead of writing. */
  beforeWrite: (write: SeenWrite) => void | Promise<void> = () => {};
  /** May wait, or throw after the commit, as when the answer is lost. */
  afterWrite: (write: SeenWrite) => void | Promise<void> = () => {};
  beforeRead: () => void = () => {};
  #isDead = false;

  constructor(inner: Store) {
    this.inner = inner;
  }

  get exclusive(): boolean {
    return this.inner.exclusive;
  }
  get commits(): number | null {
    return this.inner.commits;
  }
  get description(): string {
    return this.inner.description;
  }

  /** From now on nothing of this process reaches the store. */
  die(): void {
    this.#isDead = true;
  }

  async write<P, R>(target: Transaction<P, R>, params: P): Promise<R> {
    const write = { name: target.name, params };
    this.#checkAlive();
    await this.beforeWrite(write);
    this.#checkAlive();
    const result = await this.inner.write(target, params);
    await this.afterWrite(write);
    this.#checkAlive();
    return result;
  }

  async read<R>(query: (reader: Reader) => Promise<R>): Promise<R> {
    this.#checkAlive();
    this.beforeRead();
    return this.inner.read(query);
  }

  publish(topic: string, payload: string): void {
    if (!this.#isDead) this.inner.publish(topic, payload);
  }

  subscribe(topic: string, listener: (payload: string) => void): () => void {
    return this.inner.subscribe(topic, listener);
  }

  gapsAreFinal(since: GapWatch | null): Promise<{ final: boolean; watch: GapWatch }> {
    return this.inner.gapsAreFinal(since);
  }

  health(): Promise<void> {
    return this.inner.health();
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  #checkAlive(): void {
    if (this.#isDead) throw unavailable('unknown');
  }
}

/** What a store says that cannot be reached. */
export function unavailable(outcome: 'none' | 'unknown'): HoldfastError {
  return new HoldfastError('unavailable', 'The store is unavailable: a test says so.', { outcome });
}

/** Something that opens once; those who wait for it go on then. */
export class Gate {
  readonly opened: Promise<void>;
  readonly open: () => void;
  isOpen = false;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.opened = promise;
    this.open = () => {
      this.isOpen = true;
      resolve();
    };
  }
}

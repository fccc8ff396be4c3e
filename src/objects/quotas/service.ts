import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Clock, IdSource } from '../../kernel/ids.ts';
import type { Store } from '../../kernel/store/store.ts';
import { removeQuota, setQuota } from './change-quota.ts';
import type { GivenLimits } from './limits.ts';
import { type NamedBook, findBook, resolveSubject } from './queries.ts';
import { countBook } from './recount.ts';

export interface QuotaServiceOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly newId: IdSource;
  /** Wakes the keeper that counts, on whichever replica it runs. */
  wake(): void;
}

/** How long setting a limit counts and waits for writers that were in flight, before it leaves the rest to the keeper. */
const patienceMs = 2_000;

/** The use cases of quotas. */
export class QuotaService {
  readonly #options: QuotaServiceOptions;

  constructor(options: QuotaServiceOptions) {
    this.#options = options;
  }

  /**
   * Sets limits of `bucket:NAME` or `user:NAME`, and counts what stands where they are the first. Throws `invalid`,
   * `not_found` and `NoSuchBucket`.
   */
  async set(reference: string, limits: GivenLimits, actor: string): Promise<NamedBook> {
    const { store, clock, newId, wake } = this.#options;
    const subject = await this.#resolve(reference);
    const book = await store.write(setQuota, { subject, bookId: newId('quo'), limits, actor, nowMs: clock.nowMs() });
    if (book.countedAtMs === null && !(await countBook(store, clock, book, { patienceMs }))) wake();
    return this.#require(subject);
  }

  /** Throws `not_found`. */
  async get(reference: string): Promise<NamedBook> {
    return this.#require(await this.#resolve(reference));
  }

  /** Throws `not_found`. */
  async remove(reference: string, actor: string): Promise<void> {
    const { store, clock } = this.#options;
    const subject = await this.#resolve(reference);
    if (!(await store.write(removeQuota, { subject, actor, nowMs: clock.nowMs() }))) throw noQuota(subject);
  }

  #resolve(reference: string): Promise<string> {
    return this.#options.store.read((reader) => resolveSubject(reader, reference));
  }

  async #require(subject: string): Promise<NamedBook> {
    const book = await this.#options.store.read((reader) => findBook(reader, subject));
    if (book === null) throw noQuota(subject);
    return book;
  }
}

function noQuota(subject: string): HoldfastError {
  return new HoldfastError('not_found', `There is no quota of ${subject.slice(0, 200)}.`);
}

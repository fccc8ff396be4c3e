import type { Reader, Store } from '../../kernel/store/store.ts';
import { quotasMax } from './change-quota.ts';
import { type QuotaBook, type QuotaRow, toBook } from './quota.ts';

/** How long a picture serves. The commit always asks the store. */
const pictureMs = 2_000;

/** All quotas as this process last saw them, so that who has none pays nothing and who is over is refused early. */
export class QuotaPicture {
  readonly #store: Store;
  #books: ReadonlyMap<string, QuotaBook> = new Map();
  #takenAtMs = Number.NEGATIVE_INFINITY;
  #looking: Promise<void> | null = null;

  constructor(store: Store) {
    this.#store = store;
  }

  /** What is known of a subject now; `null` when it has no limits. Has a newer picture taken when this one is old. */
  get(subject: string): QuotaBook | null {
    if (this.#isOld()) void this.refresh();
    return this.#books.get(subject) ?? null;
  }

  /** The same from a picture that is not old. While the store is away, the last one serves. */
  async fresh(subject: string): Promise<QuotaBook | null> {
    if (this.#isOld()) await this.refresh();
    return this.#books.get(subject) ?? null;
  }

  /** Takes a picture now; calls that come meanwhile share it. Does not throw. */
  refresh(): Promise<void> {
    this.#looking ??= this.#take().finally(() => (this.#looking = null));
    return this.#looking;
  }

  #isOld(): boolean {
    return performance.now() - this.#takenAtMs >= pictureMs;
  }

  async #take(): Promise<void> {
    const startedMs = performance.now();
    try {
      const books = await this.#store.read(allBooks);
      this.#books = new Map(books.map((book) => [book.subject, book]));
    } catch {
      // The store is away: whatever needs it will say so itself.
    }
    this.#takenAtMs = startedMs;
  }
}

async function allBooks(reader: Reader): Promise<QuotaBook[]> {
  return (await reader.rows<QuotaRow>('select * from quota_books limit ?', [quotasMax])).map(toBook);
}

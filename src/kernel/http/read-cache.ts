import type { Store } from '../store/store.ts';

const entriesMax = 2_000;

/**
 * Answers that stay exact until the next commit, on a store that knows of every commit (`Store.commits`). Elsewhere it
 * keeps nothing. Clients poll single resources far more often than these change.
 */
export class ReadCache {
  readonly #store: Store;
  readonly #answers = new Map<string, string>();
  #commits: number | null = null;

  constructor(store: Store) {
    this.#store = store;
  }

  /** The answer under `key` if nothing was committed since, else what `read` gives. An error is not kept. */
  async get(key: string, read: () => Promise<string>): Promise<string> {
    const { commits } = this.#store;
    if (commits === null) return read();
    if (commits !== this.#commits || this.#answers.size >= entriesMax) {
      this.#answers.clear();
      this.#commits = commits;
    }
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const answer = await read();
    // A commit while reading may or may not be in the answer, so that one is not kept.
    if (this.#store.commits === commits && this.#commits === commits) this.#answers.set(key, answer);
    return answer;
  }
}

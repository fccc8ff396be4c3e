/**
 * A reading that many may want at once. All who ask before it begins share it; who asks while it is under way gets the
 * next one, since what is being read may be older than their question.
 */
export class SharedCall<T> {
  readonly #call: () => Promise<T>;
  #last: Promise<unknown> = Promise.resolve();
  #next: Promise<T> | null = null;

  constructor(call: () => Promise<T>) {
    this.#call = call;
  }

  run(): Promise<T> {
    if (this.#next !== null) return this.#next;
    const begin = (): Promise<T> => {
      this.#next = null;
      return this.#call();
    };
    const next = this.#last.then(begin, begin);
    this.#last = next;
    this.#next = next;
    return next;
  }
}

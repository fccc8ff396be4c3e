/** How long a call that was ended may take to tidy up before its caller is told anyway. */
const tidyMs = 1_000;

/**
 * One call to a backend under way. Its signal aborts when the caller gives up, or when the backend has been waited for
 * longer than the limit without anything moving. Time in which the backend waits for somebody else does not count.
 */
export class WatchedCall {
  readonly #controller = new AbortController();
  readonly #caller: AbortSignal;
  readonly #limitMs: number;
  readonly #late: () => Error;
  readonly #heard = () => this.#abort(this.#caller.reason);
  readonly #waiters = new Set<{ readonly reject: (reason: unknown) => void; readonly tidyMs: number }>();
  #timer: NodeJS.Timeout | undefined;
  #movedAtMs = performance.now();
  #isBackendsTurn = true;
  #isLate = false;
  #isOver = false;

  /** `late` makes the error for a limit that was passed. Throws the caller's reason when it has given up already. */
  constructor(caller: AbortSignal, limitMs: number, late: () => Error) {
    caller.throwIfAborted();
    this.#caller = caller;
    this.#limitMs = limitMs;
    this.#late = late;
    caller.addEventListener('abort', this.#heard, { once: true });
    this.#arm(limitMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether the caller gave up while the call was under way. */
  get isGivenUp(): boolean {
    return this.signal.aborted && !this.#isLate;
  }

  get isLate(): boolean {
    return this.#isLate;
  }

  /** Something moved, and now it is somebody else's turn. */
  pause(): void {
    this.#isBackendsTurn = false;
  }

  /** Now it is the backend's turn. */
  resume(): void {
    this.#movedAtMs = performance.now();
    this.#isBackendsTurn = true;
  }

  /** What `work` gives; when the call ends before, the reason at once. */
  orReason<T>(work: Promise<T>): Promise<T> {
    return this.#race(work, 0);
  }

  /** What `work` gives; when the call ends before, `work` gets a moment to end what it began. */
  orReasonSoon<T>(work: Promise<T>): Promise<T> {
    return this.#race(work, tidyMs);
  }

  /** No limit and no caller is heard any more. */
  end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#caller.removeEventListener('abort', this.#heard);
  }

  #race<T>(work: Promise<T>, graceMs: number): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const waiter = { reject, tidyMs: graceMs };
    this.#waiters.add(waiter);
    if (this.signal.aborted) this.#dismiss(waiter);
    work.then(resolve, reject);
    return promise.finally(() => this.#waiters.delete(waiter));
  }

  #arm(afterMs: number): void {
    this.#timer = setTimeout(() => this.#check(), afterMs);
  }

  /** One timer looks now and then, so that a chunk that moves costs no more than a glance at the clock. */
  #check(): void {
    const restMs = this.#isBackendsTurn ? this.#movedAtMs + this.#limitMs - performance.now() : this.#limitMs;
    if (restMs > 0) return this.#arm(restMs);
    this.#isLate = true;
    this.#abort(this.#late());
  }

  #abort(reason: unknown): void {
    if (this.#isOver || this.signal.aborted) return;
    this.#controller.abort(reason);
    clearTimeout(this.#timer);
    for (const waiter of this.#waiters) this.#dismiss(waiter);
  }

  #dismiss(waiter: { readonly reject: (reason: unknown) => void; readonly tidyMs: number }): void {
    if (waiter.tidyMs === 0) waiter.reject(this.signal.reason);
    else setTimeout(() => waiter.reject(this.signal.reason), waiter.tidyMs).unref();
  }
}

import type { WatchedCall } from './watched-call.ts';

/**
 * The content of a put on its way into a backend. While the source is waited for, the backend is not: a slow client is
 * not a slow backend. It remembers whether it was the source that failed.
 */
export class Feed {
  readonly #source: AsyncIterator<Buffer>;
  readonly #call: WatchedCall;
  #isDone = false;
  #isPending = false;
  /** What the source threw, in a box since it may be anything. */
  failure: { readonly error: unknown } | null = null;
  bytes = 0;

  constructor(source: AsyncIterable<Buffer>, call: WatchedCall) {
    this.#source = source[Symbol.asyncIterator]();
    this.#call = call;
  }

  async *content(): AsyncGenerator<Buffer> {
    try {
      for (;;) {
        const next = await this.#pull();
        if (next.done === true) return;
        this.bytes += next.value.length;
        yield next.value;
      }
    } finally {
      await this.release();
    }
  }

  /** Lets go of a source that was not read to its end. */
  async release(): Promise<void> {
    if (this.#isDone) return;
    this.#isDone = true;
    const released = this.#source.return?.();
    // A source that is stuck in a chunk would keep us waiting with it.
    if (this.#isPending) released?.catch(() => {});
    else await released;
  }

  async #pull(): Promise<IteratorResult<Buffer>> {
    this.#call.pause();
    this.#isPending = true;
    const pulled = this.#source.next();
    pulled.then(
      () => (this.#isPending = false),
      () => (this.#isPending = false),
    );
    try {
      const next = await this.#call.orReason(pulled);
      if (next.done === true) this.#isDone = true;
      return next;
    } catch (error) {
      if (!this.#call.signal.aborted) {
        this.#isDone = true;
        this.failure = { error };
      }
      throw error;
    } finally {
      this.#call.resume();
    }
  }
}

/**
 * The content of a get on its way to its reader. While the reader is busy, the backend is not waited for. `failed` hears
 * what broke it and gives the error to throw; `ended` hears of every other end.
 */
export class Drain {
  readonly #source: AsyncIterator<Buffer>;
  readonly #call: WatchedCall;
  readonly #failed: (error: unknown) => unknown;
  readonly #ended: () => void;
  bytes = 0;

  constructor(
    source: AsyncIterable<Buffer>,
    call: WatchedCall,
    hooks: { readonly failed: (error: unknown) => unknown; readonly ended: () => void },
  ) {
    this.#source = source[Symbol.asyncIterator]();
    this.#call = call;
    this.#failed = hooks.failed;
    this.#ended = hooks.ended;
  }

  async *content(): AsyncGenerator<Buffer> {
    let isOpen = true;
    try {
      for (;;) {
        this.#call.resume();
        const next = await this.#call.orReason(this.#source.next()).catch((error: unknown) => {
          isOpen = false;
          throw this.#failed(error);
        });
        this.#call.pause();
        isOpen = next.done !== true;
        if (next.done === true) break;
        this.bytes += next.value.length;
        yield next.value;
      }
    } finally {
      this.#ended();
      // Only a reader that has had enough comes here with something open.
      if (isOpen) await this.#source.return?.();
    }
  }
}

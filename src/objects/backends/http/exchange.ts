import type { ClientRequest, IncomingMessage } from 'node:http';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { connectionError } from './errors.ts';

const SLICE_BYTES = 65_536;
const CONTINUE_WAIT_MS = 1000;

export interface ExchangeOptions {
  readonly who: string;
  readonly idleTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * One request on the wire and its answer. The first thing that ends it counts: the caller's signal, a deadline, the
 * connection. Deadlines are of progress, and run only while the peer is waited for: neither a slow source, nor a slow
 * reader, nor a wait for a free connection is the peer's fault.
 */
export class Exchange {
  readonly #request: ClientRequest;
  readonly #options: ExchangeOptions;
  readonly #onAbort = (): void => this.end(this.#options.signal.reason);
  #response: IncomingMessage | null = null;
  #hasConnection = false;
  #isToGoOn = false;
  #ended: { readonly reason: unknown } | null = null;
  /** Who waits for the next thing to happen: one at a time, so that nothing piles up on a long stream. */
  #wake: (() => void) | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(request: ClientRequest, options: ExchangeOptions) {
    this.#request = request;
    this.#options = options;
    options.signal.addEventListener('abort', this.#onAbort, { once: true });
    request.on('response', (response) => this.#happened(() => (this.#response = response)));
    request.on('continue', () => this.#happened(() => (this.#isToGoOn = true)));
    request.on('drain', () => this.#happened());
    request.on('error', (error) => this.end(connectionError(options.who, error)));
    request.on('close', () => {
      if (this.#response === null) this.end(connectionError(options.who, null));
    });
    request.on('socket', (socket) => {
      if (!socket.connecting) return this.#happened(() => (this.#hasConnection = true));
      const late = () => this.end(new HoldfastError('unavailable', `${options.who} does not take a connection.`));
      const timer = setTimeout(late, options.connectTimeoutMs);
      socket.once('close', () => clearTimeout(timer));
      socket.once('connect', () => {
        clearTimeout(timer);
        this.#happened(() => (this.#hasConnection = true));
      });
    });
  }

  /** Whether the request went out on a connection of an earlier one, which the peer may just have closed. */
  get isOnUsedConnection(): boolean {
    return this.#request.reusedSocket;
  }

  /** Ends it at once; `reason` is what waiting calls throw, unless it has ended already. */
  end(reason: unknown): void {
    if (this.#ended === null) this.#happened(() => (this.#ended = { reason }));
    this.release();
    this.#request.destroy();
  }

  /** Stops listening for the caller and the clock; the answer was read, or nobody wants it. */
  release(): void {
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    this.#stopClock();
    // An answer that came before the whole body was sent leaves a connection that no other request can use.
    if (!this.#request.writableFinished) this.#request.destroy();
  }

  /** Whether it was the caller who ended it. */
  get isGivenUp(): boolean {
    return this.#ended !== null && this.#options.signal.aborted && this.#ended.reason === this.#options.signal.reason;
  }

  /** Sends a body that is at hand, or none, and waits for the head of the answer. */
  async sendWhole(body: Buffer | null): Promise<IncomingMessage> {
    this.#request.end(body ?? undefined);
    return this.#answer();
  }

  /**
   * Sends a body as it comes, after the peer has said that it wants it (RFC 9110 §10.1.1) or has said nothing for a
   * second. A refusal that comes earlier ends the sending; a success that comes earlier does not, since the source may
   * still turn out to be wrong. The source is let go of in every case.
   */
  async sendChunks(chunks: AsyncGenerator<Buffer>): Promise<IncomingMessage> {
    try {
      this.#request.flushHeaders();
      await this.#permission();
      while (!this.#isRefused) {
        const next = await this.#unlessRefused(chunks.next());
        if (next === null || next.done === true) break;
        await this.#write(next.value);
      }
      if (!this.#isRefused) this.#request.end();
      return await this.#answer();
    } finally {
      // A source that hangs would never return, so nobody waits for it.
      void chunks.return(undefined).catch(() => undefined);
    }
  }

  /** Waits for something of the peer's under the clock of progress. */
  async underClock<T>(work: Promise<T>): Promise<T> {
    this.#startClock();
    try {
      return await work;
    } catch (error) {
      throw this.#ended === null ? connectionError(this.#options.who, error) : this.#thrown();
    } finally {
      this.#stopClock();
    }
  }

  /** Throws what ended the exchange, if anything did. */
  check(): void {
    if (this.#ended !== null) throw this.#thrown();
  }

  get #isRefused(): boolean {
    return (this.#response?.statusCode ?? 0) >= 300;
  }

  async #answer(): Promise<IncomingMessage> {
    while (!this.#hasConnection && this.#response === null) await this.#next();
    this.#startClock();
    while (this.#response === null) await this.#next();
    this.#stopClock();
    return this.#response;
  }

  async #permission(): Promise<void> {
    while (!this.#hasConnection) await this.#next();
    let isOver = false;
    const timer = setTimeout(() => this.#happened(() => (isOver = true)), CONTINUE_WAIT_MS);
    while (!this.#isToGoOn && this.#response === null && !isOver) await this.#next();
    clearTimeout(timer);
  }

  /** Writes in slices, since progress is seen only between writes. */
  async #write(chunk: Buffer): Promise<void> {
    for (let offset = 0; offset < chunk.length && !this.#isRefused; offset += SLICE_BYTES) {
      if (this.#request.write(chunk.subarray(offset, offset + SLICE_BYTES))) continue;
      this.#startClock();
      while (this.#request.writableNeedDrain && !this.#isRefused) await this.#next();
      this.#stopClock();
    }
  }

  /** What the source gives, or `null` when the peer has refused it meanwhile. What the source throws ends the exchange. */
  async #unlessRefused<T>(work: Promise<T>): Promise<T | null> {
    let settled: { readonly value: T } | { readonly error: unknown } | null = null;
    work.then(
      (value) => this.#happened(() => (settled = { value })),
      (error: unknown) => this.#happened(() => (settled = { error })),
    );
    const look = (): typeof settled => settled;
    while (look() === null && !this.#isRefused) await this.#next();
    this.check();
    const outcome = look();
    if (outcome === null) return null;
    if ('value' in outcome) return outcome.value;
    this.end(outcome.error);
    throw this.#thrown();
  }

  #next(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#wake = () => (this.#ended === null ? resolve() : reject(this.#thrown()));
      if (this.#ended !== null) this.#happened();
    });
  }

  #happened(change?: () => void): void {
    change?.();
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  #startClock(): void {
    const { who, idleTimeoutMs } = this.#options;
    const late = () => {
      const sentence = `${who} made no progress for ${idleTimeoutMs} ms.`;
      this.end(new HoldfastError('unavailable', sentence, { idle_timeout_ms: idleTimeoutMs }));
    };
    this.#timer ??= setTimeout(late, idleTimeoutMs);
  }

  #stopClock(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** What ended the exchange. It may be a caller's reason, which need not be an error. */
  #thrown(): Error {
    return this.#ended?.reason as Error;
  }
}

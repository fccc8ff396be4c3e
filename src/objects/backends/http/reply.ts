import type { IncomingMessage } from 'node:http';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { Exchange } from './exchange.ts';

const DRAIN_BYTES_MAX = 65_536;

/** The answer to a request. Its body is read to the end once, drained or cancelled; else its connection stays open. */
export class HttpReply {
  readonly status: number;
  readonly #response: IncomingMessage;
  readonly #exchange: Exchange;
  readonly #who: string;

  constructor(response: IncomingMessage, exchange: Exchange, who: string) {
    this.status = response.statusCode ?? 0;
    this.#response = response;
    this.#exchange = exchange;
    this.#who = who;
    // An error after the last read has nobody to hear it.
    response.on('error', () => undefined);
  }

  header(name: string): string | undefined {
    const value = this.#response.headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  /** All whose names, in lower case, begin so. */
  *headersWith(prefix: string): Generator<readonly [string, string]> {
    for (const name of Object.keys(this.#response.headers)) {
      if (name.startsWith(prefix)) yield [name, this.header(name) ?? ''];
    }
  }

  /** `null` when the peer did not announce it. */
  get contentLength(): number | null {
    const text = this.header('content-length');
    return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null;
  }

  /** The body at the pace of the reader. A body that breaks off throws; it never just ends. */
  async *chunks(): AsyncGenerator<Buffer> {
    const iterator = this.#response[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    let isAtEnd = false;
    try {
      for (;;) {
        const next = await this.#read(iterator);
        this.#exchange.check();
        if (next.done === true) break;
        yield next.value;
      }
      isAtEnd = true;
    } finally {
      if (isAtEnd) this.#exchange.release();
      else this.cancel();
    }
  }

  /** The body as UTF-8 text of at most `bytesMax` bytes. */
  async text(bytesMax: number): Promise<string> {
    const parts: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of this.chunks()) {
      bytes += chunk.length;
      if (bytes > bytesMax)
        throw new HoldfastError('backend', `${this.#who} answered with more than ${bytesMax} bytes.`);
      parts.push(chunk);
    }
    return Buffer.concat(parts).toString('utf8');
  }

  /** Throws a short body away, so that the connection serves again; cuts off a long or slow one. */
  async drain(): Promise<void> {
    let bytes = 0;
    try {
      for await (const chunk of this.chunks()) {
        bytes += chunk.length;
        if (bytes > DRAIN_BYTES_MAX) break;
      }
    } catch (error) {
      // What the status said is known; only the caller's own wish to stop still counts.
      if (!(error instanceof HoldfastError)) throw error;
    }
  }

  /** Frees the connection. May be called more than once. */
  cancel(): void {
    this.#exchange.end(new HoldfastError('backend', 'The reading was cancelled.'));
  }

  async #read(iterator: AsyncIterator<Buffer>): Promise<IteratorResult<Buffer>> {
    try {
      return await this.#exchange.underClock(iterator.next());
    } catch (error) {
      if (this.#exchange.isGivenUp || !(error instanceof HoldfastError) || error.kind !== 'unavailable') throw error;
      if (error.details['idle_timeout_ms'] !== undefined) throw error;
      throw new HoldfastError('backend', `${this.#who} broke off in the middle of an answer.`, error.details, error);
    }
  }
}

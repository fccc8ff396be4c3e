import type { IncomingMessage } from 'node:http';
import { objectError } from '../errors.ts';

/** How much may wait here before the client is made to wait, in bytes. */
const waitingBytesMax = 262_144;
/** What must come within one timeout, in bytes: less than that is a client that keeps a place and sends nothing. */
const progressBytes = 4_096;

export interface BodyReaderOptions {
  /** How long a client may take for the next 4 KiB, in milliseconds. Time in which nobody reads does not count. */
  readonly timeoutMs: number;
  /** Runs once, before the first byte is read: tells a client that waits (`Expect: 100-continue`) to go on. */
  readonly onStart: () => void;
  /** Hears of bytes as they come. */
  readonly onBytes?: (bytes: number) => void;
}

/**
 * The body of a request as it comes, at the pace of its one reader. It ends cleanly only when all of it came: a client that
 * goes away in the middle is `IncompleteBody`, one that stalls is `RequestTimeout`.
 */
export class BodyReader {
  /** As announced; `null` for a body in chunks of HTTP, whose length is known at its end. */
  readonly contentLength: number | null;
  readonly #request: IncomingMessage;
  readonly #options: BodyReaderOptions;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #receivedBytes = 0;
  #isStarted = false;
  #isEnded: boolean;
  #error: unknown = null;
  /** Usually one; a reader that gave up in the middle and what drains after it may both wait. */
  #wakes: (() => void)[] = [];
  #timer: NodeJS.Timeout | null = null;
  #bytesSinceTimer = 0;

  constructor(request: IncomingMessage, options: BodyReaderOptions) {
    this.#request = request;
    this.#options = options;
    const { 'content-length': length, 'transfer-encoding': coding } = request.headers;
    // The parser has seen to it that there is at most one of them, and that it is a number.
    this.contentLength = coding === undefined ? Number(length ?? 0) : null;
    this.#isEnded = this.contentLength === 0;
  }

  /** Whether a `Content-Length` came, or the body is empty by nature. */
  get hasLength(): boolean {
    return this.#request.headers['content-length'] !== undefined;
  }

  get isStarted(): boolean {
    return this.#isStarted;
  }

  /** Whether nothing of the body is on its way any more. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  get hasFailed(): boolean {
    return this.#error !== null;
  }

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** The next bytes; `null` at the end. */
  async next(): Promise<Buffer | null> {
    this.#start();
    while (this.#waiting.length === 0) {
      if (this.#error !== null) throw this.#error;
      if (this.#isEnded) return null;
      await this.#more();
    }
    const chunk = this.#waiting.shift()!;
    const wasFull = this.#waitingBytes >= waitingBytesMax;
    this.#waitingBytes -= chunk.length;
    if (wasFull && this.#waitingBytes < waitingBytesMax) this.#request.resume();
    return chunk;
  }

  /** All of a body of at most `bytesMax` bytes, in one buffer. Throws `MaxMessageLengthExceeded` for a longer one. */
  async collect(bytesMax: number): Promise<Buffer> {
    if ((this.contentLength ?? 0) > bytesMax) throw tooLong(bytesMax);
    const chunks: Buffer[] = [];
    let length = 0;
    for (let chunk = await this.next(); chunk !== null; chunk = await this.next()) {
      length += chunk.length;
      if (length > bytesMax) throw tooLong(bytesMax);
      chunks.push(chunk);
    }
    return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length);
  }

  /** Ends the body with an error, unless it has ended already. */
  fail(error: unknown): void {
    if (this.#isEnded) return;
    this.#error ??= error;
    this.#stopTimer();
    this.#wakeUp();
  }

  /**
   * Reads what is left and forgets it, so that the connection can carry another request. Resolves to whether the end came
   * within these bounds.
   */
  async drain(bytesMax: number, timeoutMs: number): Promise<boolean> {
    const deadline = setTimeout(() => this.fail(timedOut()), timeoutMs);
    try {
      let length = 0;
      for (let chunk = await this.next(); chunk !== null; chunk = await this.next()) {
        length += chunk.length;
        if (length > bytesMax) return false;
      }
      return true;
    } catch {
      return false;
    } finally {
      clearTimeout(deadline);
    }
  }

  #start(): void {
    if (this.#isStarted || this.#isEnded) return;
    this.#isStarted = true;
    const request = this.#request;
    request.on('data', (chunk: Buffer) => this.#take(chunk));
    request.on('end', () => this.#end());
    // After `end` this says nothing new; before it, the connection broke. Making an error is dear, so not for nothing.
    request.on('close', () => {
      if (!this.#isEnded) this.fail(incomplete());
    });
    if (request.destroyed && !request.complete) this.fail(incomplete());
    this.#options.onStart();
  }

  #take(chunk: Buffer): void {
    this.#receivedBytes += chunk.length;
    this.#options.onBytes?.(chunk.length);
    this.#bytesSinceTimer += chunk.length;
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    if (this.#receivedBytes === this.contentLength) {
      this.#end();
      return;
    }
    if (this.#bytesSinceTimer >= progressBytes) this.#stopTimer();
    if (this.#waitingBytes >= waitingBytesMax) this.#request.pause();
    this.#wakeUp();
  }

  #end(): void {
    this.#isEnded = true;
    this.#stopTimer();
    this.#wakeUp();
  }

  #more(): Promise<void> {
    this.#timer ??= this.#startTimer();
    return new Promise((resolve) => {
      this.#wakes.push(resolve);
    });
  }

  #startTimer(): NodeJS.Timeout {
    this.#bytesSinceTimer = 0;
    return setTimeout(() => {
      this.#timer = null;
      // A reader that is busy with what came before is not the client's fault.
      if (this.#wakes.length > 0) this.fail(timedOut());
    }, this.#options.timeoutMs);
  }

  #stopTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #wakeUp(): void {
    const wakes = this.#wakes;
    if (wakes.length === 0) return;
    this.#wakes = [];
    for (const wake of wakes) wake();
  }
}

function tooLong(bytesMax: number): Error {
  return objectError('MaxMessageLengthExceeded', { size_bytes_max: bytesMax });
}

function incomplete(): Error {
  return objectError('IncompleteBody');
}

function timedOut(): Error {
  return objectError('RequestTimeout');
}

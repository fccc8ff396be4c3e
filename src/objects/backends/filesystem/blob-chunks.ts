import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { abortable } from '../../../kernel/concurrency/abortable.ts';
import { closeFile, readFully } from './calls.ts';

/** A chunk costs two turns through the thread pool, so small ones cost more than they carry. */
const chunkBytes = 262_144;

/** What to read of an open file. */
export interface FilePart {
  readonly fd: number;
  readonly offset: number;
  readonly length: number;
}

/**
 * A part of an open file as chunks, one of them read ahead. Every chunk is a buffer of its own, which the reader may
 * keep; or, where there is memory for two, one half of that, until the next is asked for. It throws when the file ends before
 * the part does, and closes the file at the end, whatever that is.
 */
export class BlobChunks implements AsyncIterableIterator<Buffer> {
  readonly #part: FilePart;
  readonly #signal: AbortSignal;
  readonly #toProblem: (error: unknown) => unknown;
  readonly #memory: readonly Buffer[];
  #ahead: Promise<Buffer> | null = null;
  #startedBytes = 0;
  #isEnded = false;
  readonly #onAbort = (): void => this.cancel();

  constructor(part: FilePart, signal: AbortSignal, problem: (error: unknown) => unknown, into?: Buffer) {
    this.#part = part;
    this.#signal = signal;
    this.#toProblem = problem;
    this.#memory = halves(into);
    // A reader who has left, and only says so by the signal, leaves no file open.
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Buffer, undefined>> {
    this.#signal.throwIfAborted();
    if (this.#isEnded) return { done: true, value: undefined };
    try {
      const reading = this.#ahead ?? this.#startRead();
      if (reading === null) return this.return();
      const value = await abortable(reading, this.#signal);
      // The file is closed with its last chunk, for a reader who counts and does not ask once more.
      if (this.#startRead() === null) this.cancel();
      return { done: false, value };
    } catch (error) {
      this.cancel();
      throw this.#signal.aborted ? this.#signal.reason : this.#toProblem(error);
    }
  }

  async return(): Promise<IteratorResult<Buffer, undefined>> {
    this.cancel();
    return { done: true, value: undefined };
  }

  /** Closes the file, after the read that may be under way: the number of a closed file soon names another. */
  cancel(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#signal.removeEventListener('abort', this.#onAbort);
    const { fd } = this.#part;
    const idle = this.#ahead ?? Promise.resolve();
    // Nothing was written, so there is nothing that a failing close could lose.
    void idle.catch(() => undefined).then(() => closeFile(fd).catch(() => undefined));
  }

  #startRead(): Promise<Buffer> | null {
    const { fd, offset, length } = this.#part;
    const wanted = Math.min(chunkBytes, length - this.#startedBytes);
    if (wanted === 0) return (this.#ahead = null);
    const memory = this.#memory[(this.#startedBytes / chunkBytes) % 2];
    const chunk = memory?.subarray(0, wanted) ?? Buffer.allocUnsafe(wanted);
    const reading = readChunk(fd, chunk, offset + this.#startedBytes);
    this.#startedBytes += wanted;
    // Nobody may ever ask for the chunk whose read failed.
    reading.catch(() => undefined);
    this.#ahead = reading;
    return reading;
  }
}

function halves(into: Buffer | undefined): readonly Buffer[] {
  if (into === undefined || into.length < 2 * chunkBytes) return [];
  return [into.subarray(0, chunkBytes), into.subarray(chunkBytes, 2 * chunkBytes)];
}

async function readChunk(fd: number, chunk: Buffer, position: number): Promise<Buffer> {
  const count = await readFully(fd, chunk, chunk.length, position);
  if (count < chunk.length) throw cutShort();
  return chunk;
}

export function cutShort(): HoldfastError {
  return new HoldfastError('backend', 'The file of a blob became shorter while it was read.', { reason: 'truncated' });
}

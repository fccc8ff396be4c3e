import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Content } from './content.ts';

/**
 * The chunks of content that is to be exactly `sizeBytes` long, one asked for at a time.
 *
 * Throws `invalid` at the first byte too many, or at an end that comes too early; what the source threw, unchanged; and
 * the signal's reason, unchanged, also when the source never answers. However it ends, the source is let go.
 */
export async function* exactContent(content: Content, sizeBytes: number, signal: AbortSignal): AsyncGenerator<Buffer> {
  if (Buffer.isBuffer(content)) {
    signal.throwIfAborted();
    if (content.length !== sizeBytes) throw wrongLength(content.length, sizeBytes);
    if (sizeBytes > 0) yield content;
    return;
  }
  const pull = new Pull(content, signal);
  try {
    let pulledBytes = 0;
    for (let chunk = await pull.next(); chunk !== null; chunk = await pull.next()) {
      pulledBytes += chunk.length;
      if (pulledBytes > sizeBytes) throw wrongLength(pulledBytes, sizeBytes);
      if (chunk.length > 0) yield chunk;
    }
    if (pulledBytes < sizeBytes) throw wrongLength(pulledBytes, sizeBytes);
  } finally {
    pull.end();
  }
}

export function wrongLength(cameBytes: number, sizeBytes: number): HoldfastError {
  const relation = cameBytes > sizeBytes ? 'at least ' : 'only ';
  const message = `The content is not as long as announced: ${relation}${cameBytes} bytes came instead of ${sizeBytes}.`;
  return new HoldfastError('invalid', message, {
    reason: 'wrong_length',
    size_bytes: sizeBytes,
    came_bytes: cameBytes,
  });
}

/**
 * An iterator whose every step ends with the signal. There is one listener for all steps: a race against one long-lived
 * promise would keep every chunk alive until that promise settles.
 */
class Pull {
  readonly #iterator: AsyncIterator<Buffer>;
  readonly #signal: AbortSignal;
  #isDone = false;
  #giveUp: (reason: unknown) => void = () => undefined;
  readonly #onAbort = (): void => this.#giveUp(this.#signal.reason);

  constructor(source: AsyncIterable<Buffer>, signal: AbortSignal) {
    signal.throwIfAborted();
    this.#iterator = source[Symbol.asyncIterator]();
    this.#signal = signal;
    signal.addEventListener('abort', this.#onAbort);
  }

  async next(): Promise<Buffer | null> {
    this.#signal.throwIfAborted();
    try {
      const step = await new Promise<IteratorResult<Buffer>>((resolve, reject) => {
        this.#giveUp = reject;
        this.#iterator.next().then(resolve, (error: unknown) => {
          // A source that has thrown is at its end.
          this.#isDone = true;
          reject(error as Error);
        });
      });
      // The caller's wish to stop goes before whatever came meanwhile.
      this.#signal.throwIfAborted();
      if (step.done !== true) return step.value;
      this.#isDone = true;
      return null;
    } catch (error) {
      // A source that listens to the same signal may have thrown in its own words.
      throw this.#signal.aborted ? this.#signal.reason : error;
    }
  }

  end(): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
    if (this.#isDone) return;
    // Nobody waits for it: a source that hangs would hold up its own end.
    void Promise.resolve(this.#iterator.return?.()).catch(() => undefined);
  }
}

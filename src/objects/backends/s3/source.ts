import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { Content } from '../../content/content.ts';
import { exactContent } from '../../content/exact-content.ts';

/** Content of a known length, in slices of known lengths, each of which becomes one request. */
export class SlicedSource {
  readonly #chunks: AsyncGenerator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);
  #missingBytes: number;

  /** @throws the signal's reason, if it has aborted. */
  constructor(content: Content, sizeBytes: number, signal: AbortSignal) {
    signal.throwIfAborted();
    this.#chunks = exactContent(content, sizeBytes, signal);
    this.#missingBytes = sizeBytes;
  }

  /**
   * The next `bytes` bytes. The last byte of all is given only when the source has ended at the right length: whoever waits
   * for it cannot take a wrong blob for whole. Throws what `exactContent` throws.
   */
  async *take(bytes: number): AsyncGenerator<Buffer> {
    for (let wantedBytes = bytes; wantedBytes > 0;) {
      const chunk = this.#rest.length > 0 ? this.#rest : await this.#next();
      const part = chunk.subarray(0, wantedBytes);
      this.#rest = chunk.subarray(part.length);
      wantedBytes -= part.length;
      this.#missingBytes -= part.length;
      if (this.#missingBytes === 0) await this.end();
      yield part;
    }
  }

  /** Makes sure that nothing follows. */
  async end(): Promise<void> {
    if (this.#rest.length > 0 || (await this.#chunks.next()).done !== true) throw outOfStep();
  }

  /** Lets the source go. Nobody waits for it: a source that hangs would hold up its own end. */
  release(): void {
    void this.#chunks.return(undefined).catch(() => undefined);
  }

  async #next(): Promise<Buffer> {
    const next = await this.#chunks.next();
    if (next.done === true) throw outOfStep();
    return next.value;
  }
}

/** All of a small content in one buffer. */
export async function gather(content: Content, sizeBytes: number, signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of exactContent(content, sizeBytes, signal)) chunks.push(chunk);
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

/** Cannot be, as `exactContent` gives exactly what was announced. */
function outOfStep(): HoldfastError {
  return new HoldfastError('internal', 'The slices of a content are out of step with its length.');
}

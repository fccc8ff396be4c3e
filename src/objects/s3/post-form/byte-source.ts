import { objectError } from '../../errors.ts';
import { malformedForm } from './malformed-form.ts';

/**
 * Bytes of a form, taken from the front. What is looked for in it stands within the first `searchBytesMax` bytes, which bounds
 * what is held.
 */
export class ByteSource {
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #searchBytesMax: number;
  /** The first boundary has no line break before it, as all others have. */
  #held: Buffer = Buffer.from('\r\n');
  #takenBytes = -2;

  constructor(chunks: AsyncIterable<Buffer>, searchBytesMax: number) {
    this.#chunks = chunks[Symbol.asyncIterator]();
    this.#searchBytesMax = searchBytesMax;
  }

  /** How many bytes of the form were taken so far. */
  get takenBytes(): number {
    return this.#takenBytes;
  }

  /** The bytes before a delimiter, which is taken too. Throws `MaxMessageLengthExceeded` when it does not come in time. */
  async until(delimiter: Buffer): Promise<Buffer> {
    let searchedBytes = 0;
    for (;;) {
      const at = this.#held.indexOf(delimiter, searchedBytes);
      const endBytes = this.#takenBytes + (at < 0 ? this.#held.length : at + delimiter.length);
      if (endBytes > this.#searchBytesMax) {
        const message = 'What comes before the file of the form is too long.';
        throw objectError('MaxMessageLengthExceeded', { size_bytes_max: this.#searchBytesMax }, message);
      }
      if (at >= 0) return this.#take(at + delimiter.length).subarray(0, at);
      searchedBytes = Math.max(0, this.#held.length - delimiter.length + 1);
      if (!(await this.#more())) throw malformedForm('The form ends too early.');
    }
  }

  /** The next so many bytes. */
  async exactly(sizeBytes: number): Promise<Buffer> {
    while (this.#held.length < sizeBytes) {
      if (!(await this.#more())) throw malformedForm('The form ends too early.');
    }
    return this.#take(sizeBytes);
  }

  /** Some bytes, at least one, as they come. */
  async atMost(sizeBytes: number): Promise<Buffer> {
    while (this.#held.length === 0) {
      if (!(await this.#more())) throw malformedForm('The form ends too early.');
    }
    return this.#take(Math.min(sizeBytes, this.#held.length));
  }

  async isAtEnd(): Promise<boolean> {
    while (this.#held.length === 0) {
      if (!(await this.#more())) return true;
    }
    return false;
  }

  #take(sizeBytes: number): Buffer {
    const taken = this.#held.subarray(0, sizeBytes);
    this.#held = this.#held.subarray(sizeBytes);
    this.#takenBytes += sizeBytes;
    return taken;
  }

  async #more(): Promise<boolean> {
    const next = await this.#chunks.next();
    if (next.done === true) return false;
    this.#held = this.#held.length === 0 ? next.value : Buffer.concat([this.#held, next.value]);
    return true;
  }
}

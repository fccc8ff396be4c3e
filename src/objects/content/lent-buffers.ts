import { smallContentBytes } from './content.ts';

/** Smaller ones come from a pool of the runtime's own, or cost it little. */
const bytesMin = 8_192;
const freeBytesMax = 16 * 1024 ** 2;

/**
 * Memory for small blobs on their way, lent again and again. New memory for each would have the runtime collect its garbage all
 * the time: what buffers hold counts for it, and clients wait while it looks for what is no longer used.
 */
export class LentBuffers {
  readonly #free = new Map<number, Buffer[]>();
  #freeBytes = 0;

  /** Memory of at least so many bytes; undefined where lending is not worth while. */
  lend(sizeBytes: number): Buffer | undefined {
    if (sizeBytes < bytesMin || sizeBytes > smallContentBytes) return undefined;
    const bytes = classOf(sizeBytes);
    const buffer = this.#free.get(bytes)?.pop();
    if (buffer === undefined) return Buffer.allocUnsafeSlow(bytes);
    this.#freeBytes -= bytes;
    return buffer;
  }

  /** Takes back what was lent. What a call that was given up may still write to must never come back. */
  giveBack(buffer: Buffer | undefined): void {
    if (buffer === undefined || this.#freeBytes + buffer.length > freeBytesMax) return;
    const known = this.#free.get(buffer.length);
    if (known === undefined) this.#free.set(buffer.length, [buffer]);
    else known.push(buffer);
    this.#freeBytes += buffer.length;
  }
}

function classOf(sizeBytes: number): number {
  return 2 ** Math.ceil(Math.log2(sizeBytes));
}

import { smallContentBytes } from './content.ts';

/** Smaller ones come from a pool of the runtime's own, or cost it little. */
const bytesMin = 8_192;
const freeBytesMax = 16 * 1024 ** 2;
/** For two chunks of what is not small: one is read while the other is looked at. */
const chunksBytes = 2 * smallContentBytes;

/**
 * Memory for blobs that are read, lent again and again. New memory for each would have the runtime collect its garbage all
 * the time: what buffers hold counts for it, and clients wait while it looks for what is no longer used.
 */
export class LentBuffers {
  readonly #free = new Map<number, Buffer[]>();
  #freeBytes = 0;

  /** Memory for the content of a blob of so many bytes, or for two chunks of it; undefined where that is not worth while. */
  lend(sizeBytes: number): Buffer | undefined {
    if (sizeBytes < bytesMin) return undefined;
    const bytes = sizeBytes > smallContentBytes ? chunksBytes : classOf(sizeBytes);
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

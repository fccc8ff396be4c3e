import { crc32 } from 'node:zlib';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { KnownBackend } from '../backends/registry.ts';
import { chunksOf } from '../content/content.ts';

/** Kinds whose real systems take no checksum along with what is written, so that only reading tells what they have. */
const kindsWithoutChecksums = ['webdav', 'rclone'];

/** The rule for which kinds what was written is read again. */
export function readBackRule(setting: 'auto' | 'always' | 'never'): (kind: string) => boolean {
  if (setting === 'auto') return (kind) => kindsWithoutChecksums.includes(kind);
  return () => setting === 'always';
}

/** Compares what a backend gives with what was written to it. */
export class ReadBack {
  #writtenBytes = 0;
  #writtenSum = 0;

  /** Passes on what is written, and remembers its length and checksum. */
  async *summed(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      this.#writtenBytes += chunk.length;
      this.#writtenSum = crc32(chunk, this.#writtenSum);
      yield chunk;
    }
  }

  /** Throws `backend` when the blob is not what was written, and what reading it throws. */
  async check({ name, backend }: KnownBackend, storageKey: string, signal: AbortSignal): Promise<void> {
    const blob = await backend.get(storageKey, null, signal);
    if (blob === null) throw new HoldfastError('backend', `${name} took a copy, and it is not there.`);
    let [countBytes, sum] = [0, 0];
    try {
      for await (const chunk of chunksOf(blob.content)) {
        countBytes += chunk.length;
        sum = crc32(chunk, sum);
      }
    } finally {
      blob.cancel();
    }
    if (countBytes === this.#writtenBytes && sum === this.#writtenSum) return;
    throw new HoldfastError('backend', `${name} took a copy, and what it gives is not what was written.`);
  }
}

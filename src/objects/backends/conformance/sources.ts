import { createHash, randomBytes } from 'node:crypto';

export const MIB = 1024 * 1024;

/** Bytes that differ at every offset, so that a chunk in the wrong place shows; the same for the same seed. */
export function bytesOf(sizeBytes: number, seed = 'seed'): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  const block = createHash('sha512').update(seed).digest();
  for (let offset = 0; offset < sizeBytes; offset += block.length) {
    block.writeUInt32LE(offset);
    block.copy(bytes, offset);
  }
  return bytes;
}

/** The bytes in chunks of these sizes, over and over. */
export async function* chunked(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  for (let offset = 0, turn = 0; offset < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? bytes.length;
    yield bytes.subarray(offset, offset + size);
    offset += size;
  }
}

/** What a source was seen to do. */
export interface SourceRecord {
  pulledBytes: number;
  isReleased: boolean;
}

/** Fresh chunks of chance, each of which is garbage as soon as nobody holds it; `each` runs before a chunk is given. */
export async function* freshChunks(
  sizeBytes: number,
  chunkBytes: number,
  each: (record: SourceRecord) => Promise<void> | void,
  record: SourceRecord = { pulledBytes: 0, isReleased: false },
): AsyncGenerator<Buffer> {
  try {
    while (record.pulledBytes < sizeBytes) {
      await each(record);
      const length = Math.min(chunkBytes, sizeBytes - record.pulledBytes);
      record.pulledBytes += length;
      yield Buffer.from(randomBytes(length));
    }
  } finally {
    record.isReleased = true;
  }
}

import type { FileHandle } from 'node:fs/promises';
import { HoldfastError } from '../../kernel/errors/errors.ts';

const chunkBytes = 262_144;

/** The first `sizeBytes` bytes of a file, a chunk at a time. Throws `conflict` when it has become shorter. */
export async function* fileChunks(handle: FileHandle, sizeBytes: number, name: string): AsyncGenerator<Buffer> {
  for (let position = 0; position < sizeBytes;) {
    // A new buffer for each, since the connection may hold the one before.
    const buffer = Buffer.allocUnsafeSlow(Math.min(chunkBytes, sizeBytes - position));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) throw changed(name);
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** A file that is written to while it is read would become an object that the file never was. */
export function changed(name: string): HoldfastError {
  return new HoldfastError('conflict', `${name} was changed while it was read; put it again.`);
}

/**
 * A stream that must be exactly so long. Its last bytes are held back until its end is seen, so that nothing is stored of
 * one that is longer. Throws `invalid` for another length.
 */
export async function* exactly(stream: AsyncIterable<Buffer>, sizeBytes: number): AsyncGenerator<Buffer> {
  let length = 0;
  let held: Buffer | null = null;
  for await (const chunk of stream) {
    if (chunk.length === 0) continue;
    length += chunk.length;
    if (length > sizeBytes) throw wrongSize(`more than the ${sizeBytes} bytes of --size came`);
    if (held !== null) yield held;
    held = chunk;
  }
  if (length < sizeBytes) throw wrongSize(`it ended after ${length} of the ${sizeBytes} bytes of --size`);
  if (held !== null) yield held;
}

function wrongSize(reason: string): HoldfastError {
  return new HoldfastError('invalid', `The input is not as long as it was said to be: ${reason}.`, { field: '--size' });
}

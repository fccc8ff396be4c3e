import { spawn } from 'node:child_process';
import { type FileHandle, open } from 'node:fs/promises';

const CHUNK_BYTES = 4 * 1024 * 1024;
/** Zeros are left out in pieces of this size, which is the block of nearly every file system. */
const BLOCK_BYTES = 4096;

/** Copies `sizeBytes` of a file into a new one. What is a hole, or all zeros, takes no room in the copy. */
export async function copyWithoutHoles(
  source: string,
  target: string,
  sizeBytes: number,
  signal: AbortSignal,
): Promise<void> {
  const to = await open(target, 'wx');
  try {
    // Node cannot ask where the holes are, and reading the zeros of a large one takes longer than a deadline. GNU cp
    // asks. Where there is none, or it fails, the loop here copies; its errors are the ones that tell why.
    const isDone = await copyByTool(source, to, signal);
    signal.throwIfAborted();
    if (!isDone) {
      await to.truncate(0);
      await copyByLoop(source, to, sizeBytes, signal);
    }
    await to.truncate(sizeBytes);
  } finally {
    await to.close();
  }
}

/** Resolves to whether it was done. It gets the open file, so that after our death it cannot make one of that name. */
async function copyByTool(source: string, to: FileHandle, signal: AbortSignal): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const child = spawn('cp', ['--sparse=always', '--reflink=auto', '--', source, '/dev/fd/3'], {
    stdio: ['ignore', 'ignore', 'ignore', to.fd],
    signal,
    killSignal: 'SIGKILL',
  });
  // An absent cp ends with an error and no code; an aborted one with an error first, and its end after.
  child.once('error', () => {
    if (child.pid === undefined) resolve(false);
  });
  child.once('close', (code) => resolve(code === 0));
  return await promise;
}

/** Reads every byte of the source, holes too, and writes those blocks that are not all zeros. */
export async function copyByLoop(
  source: string,
  to: FileHandle,
  sizeBytes: number,
  signal: AbortSignal,
): Promise<void> {
  const from = await open(source, 'r');
  try {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    for (let position = 0; position < sizeBytes;) {
      signal.throwIfAborted();
      const { bytesRead } = await from.read(chunk, 0, Math.min(CHUNK_BYTES, sizeBytes - position), position);
      if (bytesRead === 0) return;
      await writeWithoutZeros(to, chunk.subarray(0, bytesRead), position);
      position += bytesRead;
    }
  } finally {
    await from.close();
  }
}

/** Writes the runs of blocks that are not all zeros. */
async function writeWithoutZeros(to: FileHandle, chunk: Buffer, position: number): Promise<void> {
  if (isAllZero(chunk)) return;
  let runStart: number | null = null;
  for (let start = 0; start < chunk.length; start += BLOCK_BYTES) {
    const isZero = isAllZero(chunk.subarray(start, start + BLOCK_BYTES));
    if (!isZero) runStart ??= start;
    if (isZero && runStart !== null) {
      await writeAll(to, chunk.subarray(runStart, start), position + runStart);
      runStart = null;
    }
  }
  if (runStart !== null) await writeAll(to, chunk.subarray(runStart), position + runStart);
}

async function writeAll(to: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    const { bytesWritten } = await to.write(bytes, written, bytes.length - written, position + written);
    written += bytesWritten;
  }
}

/** Compares the bytes with themselves, shifted by one: one pass of the C library, without as many zeros at hand. */
function isAllZero(bytes: Buffer): boolean {
  return bytes[0] === 0 && bytes.subarray(1).equals(bytes.subarray(0, -1));
}

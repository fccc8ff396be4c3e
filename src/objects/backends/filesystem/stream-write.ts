import { unlink } from 'node:fs/promises';
import { closeFile, openFile, syncFileData, writeFully } from './calls.ts';

/** What is gathered while the disk is at work, and written with one call. */
const GATHER_BYTES = 1_048_576;

/**
 * Writes a file from chunks and flushes it. At most {@link GATHER_BYTES} and a chunk are gathered while as much is being
 * written, so the source is pulled at the pace of the disk. When anything fails the file is removed.
 */
export async function writeStream(path: string, chunks: AsyncIterable<Buffer>): Promise<void> {
  const fd = await openFile(path, 'wx');
  let isWritten = false;
  try {
    await writeChunks(fd, chunks);
    await syncFileData(fd);
    isWritten = true;
  } finally {
    await closeFile(fd).catch((error: unknown) => {
      if (isWritten) throw error;
    });
    if (!isWritten) await removeQuietly(path);
  }
}

export async function removeQuietly(path: string): Promise<void> {
  // What cannot be removed now, the sweep will find.
  await unlink(path).catch(() => undefined);
}

async function writeChunks(fd: number, chunks: AsyncIterable<Buffer>): Promise<void> {
  let gathered: Buffer[] = [];
  let gatheredBytes = 0;
  let position = 0;
  let isWriting = false;
  let writing = Promise.resolve();
  const write = async (): Promise<void> => {
    await writing;
    const [batch, at] = [gathered, position];
    position += gatheredBytes;
    [gathered, gatheredBytes, isWriting] = [[], 0, true];
    writing = writeFully(fd, batch, at).finally(() => (isWriting = false));
    // It is waited for before the next write, or at the end.
    writing.catch(() => undefined);
  };
  try {
    for await (const chunk of chunks) {
      gathered.push(chunk);
      gatheredBytes += chunk.length;
      if (!isWriting || gatheredBytes >= GATHER_BYTES) await write();
    }
    await write();
  } finally {
    // The file must not be closed under a write.
    await writing;
  }
}

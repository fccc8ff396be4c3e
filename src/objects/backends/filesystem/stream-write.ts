import { unlink } from 'node:fs/promises';
import { closeFile, openFile, syncFileData, writeFully } from './calls.ts';

/** What is gathered while the disk is at work, and written with one call. */
const GATHER_BYTES = 1_048_576;
/** After so many bytes a file is flushed while it is still being written; less would cost a commit of the journal each. */
const FLUSH_BYTES = 16_777_216;
/** Each takes a thread of the pool for as long as the disk does, and one disk is kept busy by few. */
const FLUSHES_MAX = 2;

/** Flushes files that are being written, a few at a time, so that the disk does not only begin when the last byte came. */
export class FlushAhead {
  readonly #sync: (fd: number) => Promise<void>;
  #running = 0;

  constructor(sync: (fd: number) => Promise<void> = syncFileData) {
    this.#sync = sync;
  }

  /** `null` when enough is being flushed already: then nothing was begun. */
  begin(fd: number): Promise<void> | null {
    if (this.#running >= FLUSHES_MAX) return null;
    this.#running++;
    return this.#sync(fd).finally(() => this.#running--);
  }
}

/**
 * Writes a file from chunks and flushes it. At most {@link GATHER_BYTES} and a chunk are gathered while as much is being
 * written, so the source is pulled at the pace of the disk. When anything fails the file is removed.
 */
export async function writeStream(path: string, chunks: AsyncIterable<Buffer>, ahead: FlushAhead): Promise<void> {
  const fd = await openFile(path, 'wx');
  let isWritten = false;
  try {
    await writeChunks(fd, chunks, ahead);
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

async function writeChunks(fd: number, chunks: AsyncIterable<Buffer>, ahead: FlushAhead): Promise<void> {
  let gathered: Buffer[] = [];
  let gatheredBytes = 0;
  let position = 0;
  let isWriting = false;
  let writing = Promise.resolve();
  const flushed = new FlushedSoFar(fd, ahead);
  const write = async (): Promise<void> => {
    await writing;
    flushed.upTo(position);
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
    // The file must not be closed under a write, nor under a flush.
    await Promise.allSettled([writing, flushed.end()]);
  }
  await writing;
  await flushed.end();
}

/** How far a file that is being written has been flushed. */
class FlushedSoFar {
  readonly #fd: number;
  readonly #ahead: FlushAhead;
  #bytes = 0;
  #isRunning = false;
  /** The system tells an error of a descriptor once, so that one of a flush ahead is lost unless it is kept. */
  #last = Promise.resolve();

  constructor(fd: number, ahead: FlushAhead) {
    this.#fd = fd;
    this.#ahead = ahead;
  }

  upTo(writtenBytes: number): void {
    if (this.#isRunning || writtenBytes - this.#bytes < FLUSH_BYTES) return;
    const flush = this.#ahead.begin(this.#fd);
    if (flush === null) return;
    this.#bytes = writtenBytes;
    this.#isRunning = true;
    this.#last = Promise.all([this.#last, flush.finally(() => (this.#isRunning = false))]).then(() => undefined);
    this.#last.catch(() => undefined);
  }

  /** Resolves when no flush is under way; throws what any of them threw. */
  end(): Promise<void> {
    return this.#last;
  }
}

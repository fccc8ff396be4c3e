import { closeSync, fstatSync, readSync, statSync } from 'node:fs';
import { type ByteRange, smallContentBytes } from '../../content/content.ts';
import type { OpenBlob } from '../backend.ts';
import { abortable } from '../../../kernel/concurrency/abortable.ts';
import { BlobChunks, type FilePart, cutShort } from './blob-chunks.ts';
import { closeFile, openForReading, openForReadingSync, readFully, statFile, statOpenFile } from './calls.ts';
import { errnoOf, toProblem } from './problem.ts';

/** What is read at once, in this thread, when the settings allow it: about as long as a turn through the pool takes. */
const SYNC_READ_BYTES_MAX = 65_536;

/** What to read of a file. */
export interface Reading {
  readonly range: ByteRange | null;
  /** Memory that content may come in: see {@link ObjectBackend.get}. */
  readonly into?: Buffer | undefined;
}

export interface FileFacts {
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
}

/**
 * Reads files of blobs.
 *
 * `isSync` has small reads made by the thread that serves the requests: open, length, bytes and close are 4 µs each from
 * the page cache, and 20 to 80 µs each through the thread pool. What it costs is that a read which must wait for the disk
 * holds up other requests, and one from a disk that hangs holds up all: it is not for network file systems.
 */
export class BlobReads {
  readonly #isSync: boolean;
  readonly #directory: string;

  constructor(directory: string, isSync: boolean) {
    this.#directory = directory;
    this.#isSync = isSync;
  }

  /** `null` when there is no such file. */
  async open(path: string, reading: Reading, signal: AbortSignal): Promise<OpenBlob | null> {
    signal.throwIfAborted();
    try {
      return this.#isSync ? await this.#openSync(path, reading, signal) : await this.#open(path, reading, signal);
    } catch (error) {
      if (!signal.aborted && errnoOf(error) === 'ENOENT') return null;
      throw signal.aborted ? signal.reason : this.#problem(error);
    }
  }

  async facts(path: string, signal: AbortSignal): Promise<FileFacts | null> {
    signal.throwIfAborted();
    try {
      const { size, mtimeMs } = this.#isSync ? statSync(path) : await abortable(statFile(path), signal);
      return { sizeBytes: size, modifiedAtMs: Math.floor(mtimeMs) };
    } catch (error) {
      if (!signal.aborted && errnoOf(error) === 'ENOENT') return null;
      throw signal.aborted ? signal.reason : this.#problem(error);
    }
  }

  async #openSync(path: string, { range, into }: Reading, signal: AbortSignal): Promise<OpenBlob> {
    const fd = openForReadingSync(path);
    let isOurs = true;
    try {
      const sizeBytes = fstatSync(fd).size;
      const part = partOf(fd, sizeBytes, range);
      if (part.length <= SYNC_READ_BYTES_MAX)
        return { sizeBytes, content: readAtOnce(part, into), cancel: nothingIsOpen };
      isOurs = false;
      return await this.#content(part, sizeBytes, signal, into);
    } finally {
      if (isOurs) closeSync(fd);
    }
  }

  async #open(path: string, { range, into }: Reading, signal: AbortSignal): Promise<OpenBlob> {
    const opening = openForReading(path);
    // A file that is opened when the caller has gone is closed again.
    const fd = await abortable(opening, signal).catch((error: unknown) => {
      opening.then(closeQuietly, () => undefined);
      throw error;
    });
    const looking = statOpenFile(fd);
    const stats = await abortable(looking, signal).catch((error: unknown) => {
      looking.then(
        () => closeQuietly(fd),
        () => closeQuietly(fd),
      );
      throw error;
    });
    return this.#content(partOf(fd, stats.size, range), stats.size, signal, into);
  }

  /** Takes over the open file. */
  async #content(part: FilePart, sizeBytes: number, signal: AbortSignal, into?: Buffer): Promise<OpenBlob> {
    if (part.length > smallContentBytes) {
      const content = new BlobChunks(part, signal, (error) => this.#problem(error), into);
      return { sizeBytes, content, cancel: () => content.cancel() };
    }
    const bytes = memoryFor(part.length, into);
    const reading = readFully(part.fd, bytes, part.length, part.offset).finally(() => closeQuietly(part.fd));
    const count = await abortable(reading, signal);
    if (count < part.length) throw cutShort();
    return { sizeBytes, content: bytes, cancel: nothingIsOpen };
  }

  #problem(error: unknown): unknown {
    return toProblem(error, 'read a blob', this.#directory);
  }
}

function partOf(fd: number, sizeBytes: number, range: ByteRange | null): FilePart {
  return range === null ? { fd, offset: 0, length: sizeBytes } : { fd, ...range };
}

function readAtOnce({ fd, offset, length }: FilePart, into: Buffer | undefined): Buffer {
  const bytes = memoryFor(length, into);
  for (let done = 0; done < length;) {
    const count = readSync(fd, bytes, done, length - done, offset + done);
    if (count === 0) throw cutShort();
    done += count;
  }
  return bytes;
}

function memoryFor(bytes: number, into: Buffer | undefined): Buffer {
  return into !== undefined && bytes <= into.length ? into.subarray(0, bytes) : Buffer.allocUnsafe(bytes);
}

function closeQuietly(fd: number): void {
  // Nothing was written, so there is nothing that a failing close could lose.
  void closeFile(fd).catch(() => undefined);
}

function nothingIsOpen(): void {
  // The bytes are in memory.
}

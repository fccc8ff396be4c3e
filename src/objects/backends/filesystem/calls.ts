import { type Stats, close, constants, fdatasync, fstat, fsync, open, openSync, read, stat, writev } from 'node:fs';
import { promisify } from 'node:util';
import { errnoOf } from './problem.ts';

/**
 * Calls of the operating system on file descriptors, through the thread pool. Descriptors and not `FileHandle`s: what is
 * open here is closed by hand at each end, and a handle costs about as much again as the call.
 */
export const openFile = promisify<string, string | number, number>(open);
export const closeFile = promisify(close);
export const syncFile = promisify(fsync);
export const syncFileData = promisify(fdatasync);
export const statFile = promisify<string, Stats>(stat);
export const statOpenFile = promisify<number, Stats>(fstat);

/**
 * A read that notes when it was made writes to the file system, and waits for its journal while others flush (open(2),
 * `O_NOATIME`): 30 ms, and on the thread that serves all requests. Other systems have no such flag.
 */
const readFlags = constants.O_RDONLY | (constants.O_NOATIME ?? 0);

/** Opens a file for reading, at once. */
export function openForReadingSync(path: string): number {
  try {
    return openSync(path, readFlags);
  } catch (error) {
    if (!isOthers(error)) throw error;
    return openSync(path, 'r');
  }
}

/** Opens a file for reading. */
export async function openForReading(path: string): Promise<number> {
  try {
    return await openFile(path, readFlags);
  } catch (error) {
    if (!isOthers(error)) throw error;
    return openFile(path, 'r');
  }
}

/** Only the owner of a file may leave its times alone. */
function isOthers(error: unknown): boolean {
  return errnoOf(error) === 'EPERM';
}

/** Reads until `length` bytes came or the file ends; gives how many. */
export function readFully(fd: number, into: Buffer, length: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let done = 0;
    const more = (): void => {
      read(fd, into, done, length - done, position + done, (error, count) => {
        if (error !== null) return reject(error);
        done += count;
        if (count === 0 || done === length) resolve(done);
        else more();
      });
    };
    more();
  });
}

/** Writes all chunks, one after another, at this position. */
export async function writeFully(fd: number, chunks: readonly Buffer[], position: number): Promise<void> {
  let rest = chunks;
  let at = position;
  while (rest.length > 0) {
    const written = await writeSome(fd, rest, at);
    at += written;
    rest = behind(rest, written);
  }
}

function writeSome(fd: number, chunks: readonly Buffer[], position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    writev(fd, chunks, position, (error, written) => (error === null ? resolve(written) : reject(error)));
  });
}

/** What is left of the chunks when so many bytes are written; a write may be cut short. */
function behind(chunks: readonly Buffer[], written: number): Buffer[] {
  const rest: Buffer[] = [];
  let skip = written;
  for (const chunk of chunks) {
    if (skip < chunk.length) rest.push(chunk.subarray(skip));
    skip = Math.max(0, skip - chunk.length);
  }
  return rest;
}

import { closeSync, openSync, statfsSync } from 'node:fs';
import { release } from 'node:os';
import koffi, { type LibraryHandle } from 'koffi';

/**
 * File systems of the kernel's own that write back by themselves, by the numbers in statfs(2): ext4 and those before it, XFS,
 * Btrfs. A flush as a whole may mean nothing to others, such as those of FUSE.
 */
const flushable = new Set([0xef53, 0x58465342, 0x9123683e]);
/** Before 5.8 nobody was told of a write that had failed, and before 5.17 of a journal that could not be flushed. */
const kernelMin = [5, 17] as const;

/**
 * Begins a flush of all that is on the file system of a directory; null where that cannot be made, or does not give the
 * certainty that fsync(2) gives of each file. What it gives ends it, once: whether all that was written since is on the disk.
 */
export type BeginFlush = (directory: string) => (() => Promise<boolean>) | null;

/**
 * The flush of a whole file system, which costs hardly more than that of one file.
 *
 * @source syncfs(2): it reports what could not be written since its file was opened.
 * @throws Error when the C library cannot be called.
 */
export function fileSystemFlush(): BeginFlush {
  const syncfs = koffi.load(null).func('int syncfs(int fd)');
  const isReliable = process.platform === 'linux' && isSince(kernelMin);
  return (directory) => {
    if (!isReliable) return null;
    const fd = openIfFlushable(directory);
    if (fd === null) return null;
    return async () => {
      const isFlushed = await isZero(syncfs, fd);
      closeSync(fd);
      return isFlushed;
    };
  };
}

function openIfFlushable(directory: string): number | null {
  try {
    return flushable.has(statfsSync(directory).type) ? openSync(directory, 'r') : null;
  } catch {
    // Whoever writes there next learns why.
    return null;
  }
}

function isZero(native: ReturnType<LibraryHandle['func']>, fd: number): Promise<boolean> {
  return new Promise((resolve) => {
    native.async(fd, (error: Error | null, result: unknown) => resolve(error === null && result === 0));
  });
}

function isSince([major, minor]: readonly [number, number]): boolean {
  const [ownMajor = 0, ownMinor = 0] = release().split('.').map(Number);
  return ownMajor > major || (ownMajor === major && ownMinor >= minor);
}

import { closeSync, openSync, readFileSync, statfsSync } from 'node:fs';
import { release } from 'node:os';
import { getSystemErrorName } from 'node:util';

/** From so many files on, one flush of the file system costs less than a flush of each. */
export const wholeFlushFilesMin = 16;
/** A flush of the file system waits for what others have written too: not for more than a disk takes in some 100 ms. */
const OTHERS_DIRTY_BYTES_MAX = 32 * 1_048_576;
/** Since Linux 5.8 syncfs reports what could not be written (syncfs(2), VERSIONS; errseq_t in the kernel's documentation). */
const KERNEL_MIN = [5, 8] as const;
/**
 * File systems, by the magic numbers of statfs(2), whose syncfs waits for the disk to have everything: ext4 and XFS. A
 * network file system, FUSE or overlayfs may answer before, or may not tell of an error in the layer below it.
 */
const TYPES: ReadonlySet<number> = new Set([0xef53, 0x58465342]);

/** Flushes the file system that holds an open file; gives the error number of the system, or 0. */
export type Syncfs = (fd: number) => Promise<number>;

/**
 * The system's syncfs(2), through the thread pool; `null` where it does not tell of errors, or cannot be called at all.
 * Node.js has no such call of its own, and what can make it is loaded only here.
 */
export async function loadSyncfs(platform = process.platform, kernel = release()): Promise<Syncfs | null> {
  if (platform !== 'linux' || !isAtLeast(kernel, KERNEL_MIN)) return null;
  try {
    const { default: koffi } = await import('koffi');
    const syncfs = koffi.load(null).func('int syncfs(int fd)');
    return (fd) =>
      new Promise((resolve, reject) => {
        syncfs.async(fd, (error: unknown, result: number) => {
          if (error !== null) reject(error as Error);
          // A refusal without a reason is one all the same.
          else resolve(result === 0 ? 0 : koffi.errno() || koffi.os.errno['EIO']!);
        });
      });
  } catch {
    return null;
  }
}

/** Begins flushes of whole file systems, where they are as good as a flush of each file. */
export class WholeFlushes {
  readonly #load: () => Promise<Syncfs | null>;
  readonly #isGood: (directory: string) => boolean;
  #loading: Promise<Syncfs | null> | null = null;

  constructor(load: () => Promise<Syncfs | null> = loadSyncfs, isGood: (directory: string) => boolean = isGoodNow) {
    this.#load = load;
    this.#isGood = isGood;
  }

  /** To be asked before the first byte is written that the flush is to cover; `null`: flush each file. Never throws. */
  async begin(directory: string): Promise<WholeFlush | null> {
    const syncfs = await (this.#loading ??= this.#load());
    try {
      if (syncfs === null || !this.#isGood(directory)) return null;
      return new WholeFlush(syncfs, openSync(directory, 'r'));
    } catch {
      // Whatever is wrong with the disk, the writes will meet it.
      return null;
    }
  }
}

/**
 * One flush of a whole file system. The descriptor is its own: an error is told once to each open file description that
 * was there before it happened, so with a shared one a batch could be told of another's, and the other of none.
 */
export class WholeFlush {
  readonly #syncfs: Syncfs;
  readonly #fd: number;

  constructor(syncfs: Syncfs, fd: number) {
    this.#syncfs = syncfs;
    this.#fd = fd;
  }

  /** Resolves when everything that was written since the beginning is durable. Throws with the system's `code`. */
  async end(): Promise<void> {
    try {
      const errno = await this.#syncfs(this.#fd);
      if (errno === 0) return;
      const code = getSystemErrorName(-errno);
      throw Object.assign(new Error(`${code}: the file system could not be flushed`), { code });
    } finally {
      closeSync(this.#fd);
    }
  }
}

/** See {@link TYPES} and {@link OTHERS_DIRTY_BYTES_MAX}. */
function isGoodNow(directory: string): boolean {
  return TYPES.has(statfsSync(directory).type) && dirtyBytes() <= OTHERS_DIRTY_BYTES_MAX;
}

/** What the system has yet to write, on all its disks. */
function dirtyBytes(): number {
  const text = readFileSync('/proc/meminfo', 'latin1');
  const kibibytes = (name: string): number =>
    Number(new RegExp(`^${name}: *(\\d+) kB$`, 'm').exec(text)?.[1] ?? Infinity);
  return (kibibytes('Dirty') + kibibytes('Writeback')) * 1024;
}

function isAtLeast(kernel: string, [major, minor]: readonly [number, number]): boolean {
  const [ownMajor = 0, ownMinor = 0] = kernel.split('.').map((part) => Number.parseInt(part, 10));
  return ownMajor > major || (ownMajor === major && ownMinor >= minor);
}

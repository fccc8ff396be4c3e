import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { syncFile } from './calls.ts';
import type { Layout } from './layout.ts';
import { errnoOf } from './problem.ts';

const KNOWN_MAX = 4096;

interface Flush {
  readonly done: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Makes directories of blobs, and what is in them, outlast a loss of power. Runs in the thread of changes, where a call
 * that waits for the disk stops nobody else.
 */
export class DurableDirectories {
  readonly #layout: Layout;
  readonly #remembers: boolean;
  /** Directories whose own entry is known to be durable, the oldest first. */
  readonly #known = new Set<string>();
  readonly #running = new Map<string, Flush>();
  readonly #waiting = new Map<string, Flush>();
  /** Set while there is nothing else to do: then a flush is cheaper without a turn through the thread pool. */
  isAlone = false;

  /** `remembers`: whether nobody else in this process removes directories, so that what is durable stays so. */
  constructor(layout: Layout, { remembers }: { readonly remembers: boolean }) {
    this.#layout = layout;
    this.#remembers = remembers;
  }

  /** Forgets everything, as after another disk was mounted. */
  clear(): void {
    this.#known.clear();
  }

  forget(path: string): void {
    this.#known.delete(path);
  }

  /** Forgets a directory and those above it. */
  forgetAll(directories: readonly string[]): void {
    for (let depth = 1; depth <= directories.length; depth++) {
      this.forget(this.#layout.blobDirectory(directories.slice(0, depth)));
    }
  }

  /** Makes a directory and those above it, without the certainty that they last. Never the directory of all blobs. */
  make(directories: readonly string[]): void {
    for (let depth = 1; depth <= directories.length; depth++) {
      const path = this.#layout.blobDirectory(directories.slice(0, depth));
      if (!this.#known.has(path)) makeOne(path);
    }
  }

  /** Makes a new entry of this directory durable, and the way to it. */
  async commit(directories: readonly string[]): Promise<void> {
    const flushes = [this.#flush(this.#layout.blobDirectory(directories))];
    const made: string[] = [];
    for (let depth = 1; depth <= directories.length; depth++) {
      const path = this.#layout.blobDirectory(directories.slice(0, depth));
      if (this.#known.has(path)) continue;
      // Another process, or one before us, may have made it and not come to the flush.
      flushes.push(this.#flush(this.#layout.blobDirectory(directories.slice(0, depth - 1))));
      made.push(path);
    }
    await Promise.all(flushes);
    if (this.#remembers) for (const path of made) this.#remember(path);
  }

  /** Makes it durable that an entry is gone. */
  async commitRemoval(directories: readonly string[]): Promise<void> {
    await this.#flush(this.#layout.blobDirectory(directories));
  }

  /**
   * One flush for all that wait: whoever asks while a flush is under way cannot know whether it covers his entry, and
   * shares the next one with all others who ask until then.
   */
  #flush(path: string): Promise<void> {
    if (this.isAlone && !this.#running.has(path)) return syncDirectoryNow(path);
    const waiting = this.#waiting.get(path);
    if (waiting !== undefined) return waiting.done;
    const { promise: done, resolve, reject } = Promise.withResolvers<void>();
    const flush: Flush = { done, resolve, reject };
    if (this.#running.has(path)) this.#waiting.set(path, flush);
    else this.#run(path, flush);
    return done;
  }

  #run(path: string, flush: Flush): void {
    this.#running.set(path, flush);
    const end = (): void => {
      this.#running.delete(path);
      const next = this.#waiting.get(path);
      this.#waiting.delete(path);
      if (next !== undefined) this.#run(path, next);
    };
    syncDirectory(path).then(flush.resolve, flush.reject).finally(end);
  }

  #remember(path: string): void {
    this.#known.add(path);
    if (this.#known.size <= KNOWN_MAX) return;
    for (const oldest of this.#known) {
      this.#known.delete(oldest);
      break;
    }
  }
}

/** Makes what was created, renamed or removed in a directory outlast a loss of power. */
export async function syncDirectory(path: string): Promise<void> {
  const fd = openSync(path, 'r');
  try {
    await syncFile(fd);
  } finally {
    closeSync(fd);
  }
}

async function syncDirectoryNow(path: string): Promise<void> {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function makeOne(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}

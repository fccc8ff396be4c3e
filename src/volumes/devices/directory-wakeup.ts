import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';

/**
 * Calls `wake` when something changes in a directory that may come and go (udev removes `/dev/disk/by-id` when it is empty).
 * It is a hint and never the truth: a change can be missed, so its user polls as well, and calls `renew` each time.
 */
export class DirectoryWakeup {
  readonly #path: string;
  readonly #wake: () => void;
  #watcher: FSWatcher | null = null;
  #identity: string | null = null;
  #isClosed = false;

  constructor(path: string, wake: () => void) {
    this.#path = path;
    this.#wake = wake;
  }

  /** Whether a directory is watched now. */
  get isWatching(): boolean {
    return this.#watcher !== null;
  }

  /** Watches the directory that is there now; a watch follows the inode, so one made anew needs another watch. */
  async renew(): Promise<void> {
    // A directory made anew may well get the inode of the old one, but not its time of birth.
    const identity = await stat(this.#path, { bigint: true }).then(
      ({ ino, birthtimeNs }) => `${ino} ${birthtimeNs}`,
      () => null,
    );
    if (this.#isClosed || (this.#watcher !== null && identity === this.#identity)) return;
    this.#stop();
    if (identity === null) return;
    try {
      const watcher = watch(this.#path, { persistent: false }, this.#wake);
      watcher.on('error', () => {
        if (this.#watcher === watcher) this.#stop();
      });
      this.#watcher = watcher;
      this.#identity = identity;
    } catch {
      // It went just now, or the machine has no watches left; polling goes on.
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#stop();
  }

  #stop(): void {
    this.#watcher?.close();
    this.#watcher = null;
    this.#identity = null;
  }
}

import { type DeviceChange, deviceChanges } from './changes.ts';
import { DirectoryWakeup } from './directory-wakeup.ts';
import { type ObserveOptions, type ObservedDevice, observeDevices } from './observe.ts';

export interface WatchOptions extends ObserveOptions {
  /** The directory that is `/dev/disk/by-id` on a live machine; it need not exist. */
  readonly byId: string;
  /** How long at most between two observations (`DEVICE_POLL_INTERVAL`). */
  readonly pollIntervalMs: number;
  /** How long an observation may take. */
  readonly deadlineMs: number;
  /** Gets what changed, never empty, and all that is there now; the first call has every device as `appeared`. */
  readonly onChanges: (changes: readonly DeviceChange[], devices: readonly ObservedDevice[]) => void;
  /** Gets why an observation failed, or what `onChanges` threw. The last good observation stands, and the watch goes on. */
  readonly onProblem: (error: unknown) => void;
}

/** udev makes several links for one disk; one observation shortly after the first of them serves all. */
const settleMs = 50;

/**
 * Follows the block devices of a machine until it is closed. Polling is the truth; a change in `byId` only makes the next
 * observation come sooner, and never more often than every {@link settleMs}. At most one observation runs at a time.
 */
export class DeviceWatch implements AsyncDisposable {
  readonly #options: WatchOptions;
  readonly #closing = new AbortController();
  readonly #wakeup: DirectoryWakeup;
  readonly #running: Promise<void>;
  #devices: readonly ObservedDevice[] = [];
  #problem: unknown = null;
  #isAwake = false;
  #endRest: () => void = () => {};

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#wakeup = new DirectoryWakeup(options.byId, () => this.wake());
    this.#running = this.#run();
  }

  /** The last good observation; empty before the first. */
  get devices(): readonly ObservedDevice[] {
    return this.#devices;
  }

  /** Whether changes in `byId` are seen now. */
  get hasWakeup(): boolean {
    return this.#wakeup.isWatching;
  }

  /** Why the last observation failed; `null` after a good one. */
  get problem(): unknown {
    return this.#problem;
  }

  /** Lets the next observation begin soon. */
  wake(): void {
    this.#isAwake = true;
    this.#endRest();
  }

  /** Ends the watch; nothing is told after it. Calling it again is harmless. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#wakeup.close();
    this.#endRest();
    await this.#running;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      this.#isAwake = false;
      // Watched before it is read, so that what changes in between is seen as well.
      await this.#wakeup.renew();
      try {
        await this.#observe();
        this.#problem = null;
      } catch (error) {
        this.#problem = error;
        if (!this.#closing.signal.aborted) this.#options.onProblem(error);
      }
      await this.#rest(settleMs, false);
      await this.#rest(this.#options.pollIntervalMs - settleMs, true);
    }
  }

  async #observe(): Promise<void> {
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(this.#options.deadlineMs)]);
    const devices = await observeDevices(this.#options, signal);
    const changes = deviceChanges(this.#devices, devices);
    this.#devices = devices;
    if (changes.length > 0 && !this.#closing.signal.aborted) this.#options.onChanges(changes, devices);
  }

  async #rest(durationMs: number, mayWake: boolean): Promise<void> {
    if (this.#closing.signal.aborted || durationMs <= 0 || (mayWake && this.#isAwake)) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, durationMs);
      this.#endRest = () => {
        if (!mayWake && !this.#closing.signal.aborted) return;
        clearTimeout(timer);
        resolve();
      };
    });
    this.#endRest = () => {};
  }
}

import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import type { ExportKey, ExportLoss } from '../target.ts';
import { type Daemon, type DaemonSettings, startDaemon } from './daemon.ts';

const START_TIMEOUT_MS = 15_000;
const BACKOFF_MIN_MS = 250;
const BACKOFF_MAX_MS = 30_000;
/** A call waits for a restart that is this near; for a later one it is told when. */
const WAIT_MAX_MS = 2_000;
/** A daemon that lived this long is not in a row of failures. */
const STEADY_MS = 60_000;

export interface LaneSettings extends DaemonSettings {
  readonly onLost: (loss: ExportLoss) => void;
}

/** Keeps one daemon while there is need of it: started by the first call, and by the next call after it has ended. */
export class Lane {
  /** Lanes of one family may hold the same images. */
  readonly family: string;
  /** The key of all that connect here; `null` when none is asked for. */
  readonly tls: ExportKey | null;
  readonly #settings: LaneSettings;
  readonly #takenPorts: () => ReadonlySet<number>;
  readonly #closing = new AbortController();
  #current: Promise<Daemon> | null = null;
  #port: number | null;
  #failures = 0;
  #notBefore = 0;

  /** `port`: where it is to listen first, if it can; `null` for anywhere. */
  constructor(
    family: string,
    tls: ExportKey | null,
    settings: LaneSettings,
    takenPorts: () => ReadonlySet<number>,
    port: number | null,
  ) {
    this.family = family;
    this.tls = tls;
    this.#settings = settings;
    this.#takenPorts = takenPorts;
    this.#port = port;
  }

  /** Where it listens, listened last, or is to listen first. */
  get port(): number | null {
    return this.#port;
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** The daemon that runs or is being started; `null` when there is none, and so no export. */
  get current(): Promise<Daemon> | null {
    return this.#current;
  }

  /** @throws HoldfastError `unavailable`: why it does not start, or when it will be tried again. */
  async running(signal: AbortSignal): Promise<Daemon> {
    if (this.isClosed) throw new HoldfastError('unavailable', 'This export daemon is closed.');
    const waitMs = this.#current === null ? this.#notBefore - performance.now() : 0;
    if (waitMs > WAIT_MAX_MS) {
      const sentence = `qemu-storage-daemon has ended ${this.#failures} times in a row; it is started again in a while.`;
      throw new HoldfastError('unavailable', sentence, { retry_after_ms: Math.ceil(waitMs) });
    }
    if (waitMs > 0) await delay(waitMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) throw new HoldfastError('unavailable', 'No export daemon was there before the deadline.');
    // The start has a deadline of its own: a caller that leaves does not take it from the others.
    this.#current ??= this.#start();
    return this.#current;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const daemon = await this.#current?.catch(() => null);
    await daemon?.stop();
  }

  async #start(): Promise<Daemon> {
    const signal = AbortSignal.any([AbortSignal.timeout(START_TIMEOUT_MS), this.#closing.signal]);
    const place = { preferredPort: this.#port, takenPorts: this.#takenPorts(), tls: this.tls };
    const startedAt = performance.now();
    try {
      const daemon = await startDaemon(this.#settings, place, signal);
      this.#port = daemon.port;
      void daemon.ended.then((reason) => this.#isLost(daemon, reason, startedAt));
      return daemon;
    } catch (error) {
      this.#hasEnded(startedAt);
      throw error;
    }
  }

  #isLost({ pid }: Daemon, because: string, startedAt: number): void {
    this.#hasEnded(startedAt);
    if (this.isClosed) return;
    const reason = `The export daemon ${pid} has ended by itself (${because}), and its exports with it.`;
    this.#settings.log(reason);
    this.#settings.onLost({ kind: 'nbd', reason, pid });
  }

  #hasEnded(startedAt: number): void {
    this.#current = null;
    const now = performance.now();
    this.#failures = now - startedAt > STEADY_MS ? 1 : this.#failures + 1;
    this.#notBefore = now + Math.min(BACKOFF_MIN_MS * 2 ** (this.#failures - 1), BACKOFF_MAX_MS);
  }
}

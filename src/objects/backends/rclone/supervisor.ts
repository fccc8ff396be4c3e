import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { untilAborted } from '../http/until-aborted.ts';
import { type RcloneChild, startRclone } from './child.ts';
import type { Environment } from './program.ts';
import { Remote, type RemoteFeatures } from './remote.ts';
import type { RcloneSettings } from './settings.ts';

const START_TIMEOUT_MS = 30_000;
const BACKOFF_MIN_MS = 250;
const BACKOFF_MAX_MS = 30_000;
/** A call waits for a restart that is this near; for a later one it is told when. */
const WAIT_MAX_MS = 2000;
/** A child that lived this long is not in a row of failures. */
const STEADY_MS = 60_000;
/** How long the news of a child's death may take. */
const NEWS_MS = 500;
const oldest: readonly [number, number] = [1, 60];

export interface RunningRemote {
  readonly remote: Remote;
  readonly features: RemoteFeatures;
  readonly version: string;
}

/** Keeps one rclone running while there is need of it: started by the first call, and again after it has ended. */
export class Supervisor {
  readonly #settings: RcloneSettings;
  readonly #environment: Environment;
  readonly #closing = new AbortController();
  #current: Promise<RunningRemote> | null = null;
  #child: RcloneChild | null = null;
  #failures = 0;
  #notBefore = 0;
  /** What the remote could do when it was asked last. */
  features: RemoteFeatures | null = null;

  constructor(settings: RcloneSettings, environment: Environment) {
    this.#settings = settings;
    this.#environment = environment;
  }

  /** @throws HoldfastError why it does not start, or when it will be tried again; the signal's reason as it is. */
  async running(signal: AbortSignal): Promise<RunningRemote> {
    signal.throwIfAborted();
    if (this.#closing.signal.aborted) throw new HoldfastError('unavailable', 'The rclone backend is closed.');
    const waitMs = this.#current === null ? this.#notBefore - performance.now() : 0;
    if (waitMs > WAIT_MAX_MS) {
      const sentence = `rclone has ended ${this.#failures} times in a row; it is started again in a while.`;
      throw new HoldfastError('unavailable', sentence, { retry_after_ms: Math.ceil(waitMs) });
    }
    if (waitMs > 0) await delay(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    // The start has a deadline of its own: a caller that leaves does not take it from the others.
    this.#current ??= this.#start();
    return untilAborted(this.#current, signal);
  }

  /**
   * Does work that may be done twice. When the child turns out to have just died, it is done again by the next one, since
   * the news of a death comes a moment after it.
   */
  async again<T>(signal: AbortSignal, work: (running: RunningRemote) => Promise<T>): Promise<T> {
    const child = () => this.#child;
    const running = await this.running(signal);
    const first = child();
    try {
      return await work(running);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof HoldfastError) || error.details['code'] === undefined || first === null) throw error;
      const hasEnded = await Promise.race([first.ended.then(() => true), delay(NEWS_MS, false)]);
      if (!hasEnded) throw error;
      return work(await this.running(signal));
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#child?.end();
    await this.#child?.ended;
    await this.#current?.catch(() => undefined);
  }

  async #start(): Promise<RunningRemote> {
    const signal = AbortSignal.any([AbortSignal.timeout(START_TIMEOUT_MS), this.#closing.signal]);
    const startedAt = performance.now();
    try {
      const child = await startRclone(this.#settings, this.#environment, signal);
      this.#child = child;
      const remote = new Remote(child, this.#settings);
      void child.ended.then(() => this.#hasEnded(startedAt, remote));
      const { version, decomposed } = await remote.version(signal);
      checkVersion(version, decomposed);
      const features = await remote.features(signal);
      this.features = features;
      return { remote, features, version };
    } catch (error) {
      if (this.#child === null) this.#hasEnded(startedAt, null);
      else this.#child.end();
      if (error instanceof HoldfastError) throw error;
      throw new HoldfastError('unavailable', 'rclone did not come up in time.', {}, error);
    }
  }

  #hasEnded(startedAt: number, remote: Remote | null): void {
    remote?.close();
    this.#current = null;
    this.#child = null;
    const now = performance.now();
    this.#failures = now - startedAt > STEADY_MS ? 1 : this.#failures + 1;
    this.#notBefore = now + Math.min(BACKOFF_MIN_MS * 2 ** (this.#failures - 1), BACKOFF_MAX_MS);
  }
}

function checkVersion(version: string, [major = 0, minor = 0]: readonly number[]): void {
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return;
  const sentence = `rclone ${version} on the gateway is too old; version ${oldest.join('.')} or later is needed.`;
  throw new HoldfastError('unavailable', sentence, { reason: 'too_old' });
}

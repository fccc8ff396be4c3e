import { hostname } from 'node:os';
import type { Clock, IdSource } from '../ids.ts';
import type { Store } from '../store/store.ts';
import { registerReplica, releaseReplica, renewReplica } from './ownership.ts';

export interface ReplicaLeaseOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly newId: IdSource;
  readonly ttlMs: number;
  /** Called when this process can no longer be sure that it is alive in the eyes of the others. */
  onLost(replicaId: string): void;
}

/** Part of the time to live after which, without a renewal, we count ourselves dead: before others may. */
const watchdogShare = 0.8;
const renewalShare = 0.25;

/**
 * This process's lease on life: one row, one renewal for all its operations, only the database's clock. A lost
 * lease is never revived; the process goes on under a fresh id.
 */
export class ReplicaLease {
  readonly #options: ReplicaLeaseOptions;
  #id: string;
  #timer: NodeJS.Timeout | null = null;
  #renewedAtMs = 0;
  #isReleased = false;

  constructor(options: ReplicaLeaseOptions) {
    this.#options = options;
    this.#id = options.newId('rep');
  }

  get id(): string {
    return this.#id;
  }

  async start(): Promise<void> {
    await this.#register();
    if (!this.#options.store.exclusive) this.#schedule();
  }

  /** Gives everything back. What cannot be given back now is taken over when the lease runs out. */
  async release(): Promise<void> {
    this.#isReleased = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#options.store.write(releaseReplica, { id: this.#id });
  }

  async #register(): Promise<void> {
    const { store, clock, ttlMs } = this.#options;
    const beganAtMs = performance.now();
    const detail = `${hostname()} process ${process.pid}`;
    const leaseMs = store.exclusive ? null : ttlMs;
    await store.write(registerReplica, { id: this.#id, ttlMs: leaseMs, detail, nowMs: clock.nowMs() });
    this.#renewedAtMs = beganAtMs;
  }

  #schedule(): void {
    if (this.#isReleased) return;
    this.#timer = setTimeout(() => void this.#tick(), this.#options.ttlMs * renewalShare).unref();
  }

  async #tick(): Promise<void> {
    const { store, ttlMs } = this.#options;
    const beganAtMs = performance.now();
    const watchdog = setTimeout(() => this.#lose(), Math.max(0, this.#renewedAtMs + ttlMs * watchdogShare - beganAtMs));
    try {
      if (this.#renewedAtMs === 0) await this.#register();
      else if (await store.write(renewReplica, { id: this.#id, ttlMs })) this.#renewedAtMs = beganAtMs;
      else this.#lose();
    } catch {
      // Unreachable for now: the watchdog decides, by this process's own monotonic clock, when that is too long.
      if (this.#renewedAtMs !== 0 && performance.now() - this.#renewedAtMs > ttlMs * watchdogShare) this.#lose();
    } finally {
      clearTimeout(watchdog);
      this.#schedule();
    }
  }

  #lose(): void {
    if (this.#renewedAtMs === 0) return;
    const lost = this.#id;
    this.#id = this.#options.newId('rep');
    this.#renewedAtMs = 0;
    this.#options.onLost(lost);
  }
}

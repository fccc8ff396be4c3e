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
  #isHeld = false;
  #isReleased = false;
  #renewal: NodeJS.Timeout | null = null;
  #watchdog: NodeJS.Timeout | null = null;

  constructor(options: ReplicaLeaseOptions) {
    this.#options = options;
    this.#id = options.newId('rep');
  }

  get id(): string {
    return this.#id;
  }

  /** Whether the store knows this process as alive. Without it nothing may be owned: others would take it at once. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  async start(): Promise<void> {
    await this.#register();
    if (!this.#options.store.exclusive) this.#schedule(this.#options.ttlMs * renewalShare);
  }

  /** Gives everything back. What cannot be given back now is taken over when the lease runs out. */
  async release(): Promise<void> {
    this.#isReleased = true;
    if (this.#renewal !== null) clearTimeout(this.#renewal);
    if (this.#watchdog !== null) clearTimeout(this.#watchdog);
    await this.#options.store.write(releaseReplica, { id: this.#id });
  }

  async #register(): Promise<void> {
    const { store, clock, ttlMs } = this.#options;
    const id = this.#id;
    const beganAtMs = performance.now();
    const detail = `${hostname()} process ${process.pid}`;
    const leaseMs = store.exclusive ? null : ttlMs;
    await store.write(registerReplica, { id, ttlMs: leaseMs, detail, nowMs: clock.nowMs() });
    this.#hold(id, beganAtMs);
  }

  async #renew(): Promise<void> {
    const { store, ttlMs } = this.#options;
    const id = this.#id;
    const beganAtMs = performance.now();
    if (await store.write(renewReplica, { id, ttlMs })) this.#hold(id, beganAtMs);
    else this.#lose(id);
  }

  /** Counts from when the write began: the database counts from later, so we count ourselves dead before others do. */
  #hold(id: string, beganAtMs: number): void {
    // An answer that comes after the watchdog gave the lease up does not revive it.
    if (id !== this.#id || this.#isReleased) return;
    this.#isHeld = true;
    const { store, ttlMs } = this.#options;
    if (store.exclusive) return;
    if (this.#watchdog !== null) clearTimeout(this.#watchdog);
    const leftMs = beganAtMs + ttlMs * watchdogShare - performance.now();
    this.#watchdog = setTimeout(() => this.#lose(id), Math.max(0, leftMs)).unref();
  }

  #schedule(afterMs: number): void {
    if (this.#isReleased) return;
    if (this.#renewal !== null) clearTimeout(this.#renewal);
    this.#renewal = setTimeout(() => void this.#tick(), afterMs).unref();
  }

  async #tick(): Promise<void> {
    try {
      if (this.#isHeld) await this.#renew();
      else {
        // A fresh id each time: the entry of before may have been written and only its answer lost.
        this.#id = this.#options.newId('rep');
        await this.#register();
      }
    } catch {
      // Unreachable for now: the watchdog decides, by this process's own monotonic clock, when that is too long.
    } finally {
      this.#schedule(this.#options.ttlMs * renewalShare);
    }
  }

  #lose(id: string): void {
    if (!this.#isHeld || id !== this.#id || this.#isReleased) return;
    this.#isHeld = false;
    this.#id = this.#options.newId('rep');
    this.#schedule(0);
    this.#options.onLost(id);
  }
}

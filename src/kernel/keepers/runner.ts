import { HoldfastError } from '../errors/errors.ts';
import type { Store } from '../store/store.ts';
import type { Keeper, KeeperStatus } from './keeper.ts';
import { claimKeeper, extendKeeper, finishKeeper } from './lease.ts';

const leaseMs = 30_000;
const keeperTopic = 'keeper';
/** Replicas wake up together; a run that began within this part of the period counts for all of them. */
const restShare = 0.8;

export interface KeeperObserver {
  onRun?(keeper: string, result: 'ok' | 'failed', seconds: number, detail: string): void;
  onError?(error: unknown, about: string): void;
}

/** Runs the keepers of this process. */
export class KeeperRunner {
  readonly #store: Store;
  readonly #owner: () => string;
  readonly #observer: KeeperObserver;
  readonly #keepers = new Map<string, Keeper>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #running = new Map<string, Promise<void>>();
  /** Signalled while they ran: what they were signalled for may have come after they looked. */
  readonly #again = new Set<string>();
  readonly #stopping = new AbortController();
  #unsubscribe: () => void = () => {};

  constructor(store: Store, owner: () => string, observer: KeeperObserver = {}) {
    this.#store = store;
    this.#owner = owner;
    this.#observer = observer;
  }

  register(keeper: Keeper): void {
    this.#keepers.set(keeper.name, keeper);
  }

  /** Begins all periods; the first run of each comes at once. */
  start(): void {
    this.#unsubscribe = this.#store.subscribe(keeperTopic, (name) => this.#signalled(name));
    for (const keeper of this.#keepers.values()) this.#schedule(keeper, 0);
  }

  /** Asks for a run now, on whichever replica takes it. Throws `not_found`. */
  signal(name: string): void {
    if (!this.#keepers.has(name)) throw new HoldfastError('not_found', `There is no keeper ${name}.`);
    this.#store.publish(keeperTopic, name);
  }

  async status(): Promise<KeeperStatus[]> {
    const rows = await this.#store.read((reader) => reader.db.selectFrom('keepers').selectAll().execute());
    const byName = new Map(rows.map((row) => [row.name, row]));
    return [...this.#keepers.values()].map(({ name, summary, periodMs }) => {
      const row = byName.get(name);
      return {
        name,
        summary,
        periodMs,
        isRunning: (row?.until ?? 0) > Date.now(),
        runs: row?.runs ?? 0,
        lastStartedAtMs: row?.last_started_at ?? null,
        lastFinishedAtMs: row?.last_finished_at ?? null,
        lastSuccessAtMs: row?.last_success_at ?? null,
        lastResult: row?.last_result ?? null,
        lastError: row?.last_error ?? null,
      };
    });
  }

  /** Aborts what runs and waits for it. */
  async stop(): Promise<void> {
    this.#unsubscribe();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#stopping.abort();
    await Promise.all(this.#running.values());
  }

  #signalled(name: string): void {
    const keeper = this.#keepers.get(name);
    if (this.#running.has(name)) this.#again.add(name);
    else if (keeper !== undefined) this.#begin(keeper, 0);
  }

  #schedule(keeper: Keeper, afterMs: number): void {
    if (this.#stopping.signal.aborted) return;
    clearTimeout(this.#timers.get(keeper.name));
    const restMs = afterMs === 0 ? 0 : keeper.periodMs * restShare;
    this.#timers.set(keeper.name, setTimeout(() => this.#begin(keeper, restMs), afterMs).unref());
  }

  #begin(keeper: Keeper, restMs: number): void {
    if (this.#stopping.signal.aborted || this.#running.has(keeper.name)) return;
    const run = this.#run(keeper, restMs)
      .catch((error: unknown) => this.#observer.onError?.(error, `keeper ${keeper.name}`))
      .finally(() => {
        this.#running.delete(keeper.name);
        this.#schedule(keeper, this.#again.delete(keeper.name) ? 0 : keeper.periodMs);
      });
    this.#running.set(keeper.name, run);
  }

  async #run(keeper: Keeper, restMs: number): Promise<void> {
    const { name } = keeper;
    const owner = this.#owner();
    if (!(await this.#store.write(claimKeeper, { name, owner, leaseMs, restMs: Math.round(restMs) }))) return;
    const lost = new AbortController();
    const renewal = setInterval(() => {
      this.#store.write(extendKeeper, { name, owner, leaseMs }).then(
        (isOurs) => isOurs || lost.abort(),
        () => {}, // the next renewal tries again, and an expired lease says so then
      );
    }, leaseMs / 3).unref();
    const beganAt = performance.now();
    let result: string | null = null;
    let error: string | null = null;
    try {
      result = await keeper.run(AbortSignal.any([lost.signal, this.#stopping.signal]));
    } catch (failure) {
      error = failure instanceof Error ? failure.message : String(failure);
    } finally {
      clearInterval(renewal);
    }
    const seconds = (performance.now() - beganAt) / 1000;
    this.#observer.onRun?.(name, error === null ? 'ok' : 'failed', seconds, result ?? error ?? '');
    await this.#store.write(finishKeeper, { name, owner, result, error });
  }
}

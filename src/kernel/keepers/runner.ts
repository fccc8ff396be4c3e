import { HoldfastError } from '../errors/errors.ts';
import type { Store } from '../store/store.ts';
import type { Keeper, KeeperPlan, KeeperProgress, KeeperStatus } from './keeper.ts';
import { claimKeeper, extendKeeper, finishKeeper } from './lease.ts';
import { pauseKeeper, resumeKeeper } from './pause.ts';
import { keeperStatus } from './status.ts';

const leaseMs = 30_000;
/** How often a run says that it goes on, and how far it is. */
const renewalMs = 5_000;
/** How long a plan may take to be made. */
const planTimeoutMs = 60_000;
const keeperTopic = 'keeper';
const pauseTopic = 'keeper-pause';
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
  readonly #pauses = new Map<string, AbortController>();
  /** Signalled while they ran: what they were signalled for may have come after they looked. */
  readonly #again = new Set<string>();
  readonly #stopping = new AbortController();
  #subscriptions: readonly (() => void)[] = [];

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
    this.#subscriptions = [
      this.#store.subscribe(keeperTopic, (name) => this.#signalled(name)),
      this.#store.subscribe(pauseTopic, (name) => this.#pauses.get(name)?.abort()),
    ];
    for (const keeper of this.#keepers.values()) this.#schedule(keeper, 0);
  }

  /** Asks for a run now, on whichever replica takes it. Throws `not_found`. */
  signal(name: string): void {
    this.#require(name);
    this.#store.publish(keeperTopic, name);
  }

  /** As {@link signal}, for somebody who waits for it: throws `conflict` while the keeper is paused. */
  async ask(name: string): Promise<void> {
    this.#require(name);
    const paused = (await this.status()).find((status) => status.name === name)?.paused;
    if (paused) {
      throw new HoldfastError('conflict', `The keeper ${name} was paused by ${paused.by}; resume it first.`);
    }
    this.signal(name);
  }

  /** What a run would do now; nothing is changed. Throws `not_found`, and `unsupported` for a keeper that makes no plans. */
  async plan(name: string): Promise<KeeperPlan> {
    const keeper = this.#require(name);
    if (keeper.plan === undefined) {
      const why = keeper.whyNoPlan === undefined ? '' : ` ${keeper.whyNoPlan}`;
      throw new HoldfastError('unsupported', `The keeper ${name} makes no plans.${why}`);
    }
    return keeper.plan(AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(planTimeoutMs)]));
  }

  /** Lets a keeper rest until it is resumed; a run under way ends at its next bound. Throws `not_found`. */
  async pause(name: string, by: string): Promise<void> {
    this.#require(name);
    await this.#store.write(pauseKeeper, { name, by });
    this.#store.publish(pauseTopic, name);
  }

  /** Lets a keeper run again, and at once. Throws `not_found`. */
  async resume(name: string): Promise<void> {
    this.#require(name);
    await this.#store.write(resumeKeeper, { name });
    this.#store.publish(keeperTopic, name);
  }

  async status(): Promise<KeeperStatus[]> {
    const rows = await this.#store.read((reader) => reader.db.selectFrom('keepers').selectAll().execute());
    const byName = new Map(rows.map((row) => [row.name, row]));
    return [...this.#keepers.values()].map((keeper) => keeperStatus(keeper, byName.get(keeper.name)));
  }

  #require(name: string): Keeper {
    const keeper = this.#keepers.get(name);
    if (keeper === undefined) throw new HoldfastError('not_found', `There is no keeper ${name.slice(0, 100)}.`);
    return keeper;
  }

  /** Aborts what runs and waits for it. */
  async stop(): Promise<void> {
    for (const unsubscribe of this.#subscriptions) unsubscribe();
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
    this.#pauses.set(name, lost);
    let progress: KeeperProgress | null = null;
    const renewal = setInterval(() => {
      this.#store.write(extendKeeper, { name, owner, leaseMs, progress }).then(
        (isOurs) => isOurs || lost.abort(),
        () => {}, // the next renewal tries again, and an expired lease says so then
      );
    }, renewalMs).unref();
    const beganAt = performance.now();
    let result: string | null = null;
    let error: string | null = null;
    try {
      const signal = AbortSignal.any([lost.signal, this.#stopping.signal]);
      result = await keeper.run(signal, (told) => (progress = told));
    } catch (failure) {
      error = failure instanceof Error ? failure.message : String(failure);
    } finally {
      clearInterval(renewal);
      this.#pauses.delete(name);
    }
    const seconds = (performance.now() - beganAt) / 1000;
    this.#observer.onRun?.(name, error === null ? 'ok' : 'failed', seconds, result ?? error ?? '');
    await this.#store.write(finishKeeper, { name, owner, result, error });
  }
}

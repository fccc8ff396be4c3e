import { WakeLoop } from '../../kernel/concurrency/wake-loop.ts';
import { eventsTopic } from '../../kernel/events/follower.ts';
import type { NoticeSource } from '../../kernel/events/notice.ts';
import { OutboxReader, type OutboxRest } from '../../kernel/events/outbox.ts';
import { lastEventId } from '../../kernel/events/queries.ts';
import type { Clock } from '../../kernel/ids.ts';
import { claimKeeper, extendKeeper, finishKeeper } from '../../kernel/keepers/lease.ts';
import type { GapWatch, Store } from '../../kernel/store/store.ts';
import { cursorOf, listSubscriptions, listTargets } from '../queries.ts';
import { deliveriesTopic } from '../topics.ts';
import { dispatchEvents, skipEvents } from './dispatch.ts';
import { match } from './match.ts';

const leaseName = 'notification-dispatch';
const leaseMs = 15_000;
const pageSize = 500;
const pollMs = 500;
/** Where every commit passes through this process, looking costs nothing while nothing was committed. */
const ownPollMs = 100;
/** While there is no target. */
const idlePollMs = 1_000;
const gapRetryMs = 15;

export interface DispatcherOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly sources: readonly NoticeSource[];
  /** The replica that this process is. */
  owner(): string;
  onError(error: unknown, about: string): void;
}

/**
 * Reads the outbox behind a cursor in the store, and enters what is to be delivered of it. One process does so at a time, by
 * a lease; were there two, only one of them could move the cursor.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #outbox: OutboxReader;
  readonly #loop: WakeLoop;
  #unsubscribe: () => void = () => {};
  #isHolder = false;
  /** Until when that need not be asked again, by the monotonic clock. */
  #knownUntil = 0;
  #seenCommits = -1;
  /** What nobody can want once all that was in flight below it has ended. */
  #skip: { readonly toId: number; readonly watch: GapWatch } | null = null;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#outbox = new OutboxReader(options.store);
    const onError = (error: unknown) => options.onError(error, 'events were not dispatched');
    this.#loop = new WakeLoop({ look: () => this.#look(), failedMs: pollMs, onError });
  }

  start(): void {
    this.#unsubscribe = this.#options.store.subscribe(eventsTopic, () => this.wake());
    this.#loop.plan(0);
  }

  /** Says that there may be something new. Cheap, and may be called at any rate. */
  wake(): void {
    this.#loop.wake();
  }

  /** Ends what is under way and gives the lease back. */
  async stop(): Promise<void> {
    this.#unsubscribe();
    await this.#loop.stop();
    if (!this.#isHolder) return;
    const { store, owner } = this.#options;
    await store.write(finishKeeper, { name: leaseName, owner: owner(), result: null, error: null });
  }

  async #look(): Promise<number> {
    const { commits, exclusive } = this.#options.store;
    const nextMs = exclusive ? ownPollMs : pollMs;
    if (commits !== null && commits === this.#seenCommits) return nextMs;
    if (!(await this.#hold())) return leaseMs / 3;
    const rest = await this.#dispatch();
    if (rest === 'more') return 0;
    if (rest === 'gap') return gapRetryMs;
    this.#seenCommits = commits ?? -1;
    return rest === 'idle' ? idlePollMs : nextMs;
  }

  async #hold(): Promise<boolean> {
    const now = performance.now();
    if (now < this.#knownUntil) return this.#isHolder;
    const { store, owner } = this.#options;
    const lease = { name: leaseName, owner: owner(), leaseMs };
    const isOurs = this.#isHolder && (await store.write(extendKeeper, { ...lease, progress: null }));
    this.#isHolder = isOurs || (await store.write(claimKeeper, { ...lease, restMs: 0 }));
    this.#knownUntil = now + leaseMs / 3;
    return this.#isHolder;
  }

  async #dispatch(): Promise<OutboxRest | 'idle'> {
    const { store } = this.#options;
    const targets = await store.read(listTargets);
    if (targets.length === 0) return this.#passOver();
    this.#skip = null;
    const fromId = await store.read(cursorOf);
    const { events, rest } = await this.#outbox.after(fromId, pageSize);
    if (events.length === 0) return rest;
    // After the events, so that what was set up before one of them was written is known.
    return (await this.#enter(fromId, events)) === events.at(-1)!.id ? rest : 'more';
  }

  /** Enters what these events, or the first of them, are to bring; gives the id of the last one that was dealt with. */
  async #enter(fromId: number, events: Parameters<typeof match>[0]): Promise<number> {
    const { store, clock, sources } = this.#options;
    const active = (await store.read(listTargets)).filter(({ state }) => state === 'active');
    const targets = new Map(active.map((target) => [target.name, target]));
    const subscriptions = await store.read(listSubscriptions);
    const notices = targets.size === 0 ? [] : await Promise.all(sources.map((source) => source.noticesOf(events)));
    const { deliveries, throughId } = match(events, targets, subscriptions, notices.flat());
    await store.write(dispatchEvents, { fromId, toId: throughId!, deliveries, nowMs: clock.nowMs() });
    if (deliveries.length > 0) store.publish(deliveriesTopic, '');
    return throughId!;
  }

  /** Without targets nobody wants anything: the cursor follows the newest event, without reading those in between. */
  async #passOver(): Promise<'idle'> {
    const { store } = this.#options;
    const fromId = await store.read(cursorOf);
    const known = this.#skip;
    const toId = known?.toId ?? (await store.read(lastEventId));
    if (toId <= fromId) return 'idle';
    const { final: isFinal, watch } = await store.gapsAreFinal(known?.watch ?? null);
    this.#skip = isFinal ? null : { toId, watch };
    if (isFinal) await store.write(skipEvents, { fromId, toId });
    return 'idle';
  }
}

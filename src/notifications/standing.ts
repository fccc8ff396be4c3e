import { lastEventId } from '../kernel/events/queries.ts';
import type { Store } from '../kernel/store/store.ts';
import type { Metrics } from '../kernel/telemetry/metrics.ts';
import { cursorOf, listTargets } from './queries.ts';
import { type Target, backlogMax } from './target.ts';

/** How often it is read for metrics, which are asked without waiting. */
const periodMs = 15_000;
/** From this part of what may wait for a target on, health says so. */
const fullShare = 0.5;
/** Events not yet looked at, from which on health says so. */
const lagMax = 50_000;

interface Totals {
  readonly waiting: number;
  readonly dead: number;
  readonly dropped: number;
  readonly lag: number;
}

/** How notifications stand, for health and metrics. */
export class Standing {
  readonly #store: Store;
  readonly #onError: (error: unknown, about: string) => void;
  #totals: Totals = { waiting: 0, dead: 0, dropped: 0, lag: 0 };
  #timer: NodeJS.Timeout | null = null;

  constructor(store: Store, onError: (error: unknown, about: string) => void) {
    this.#store = store;
    this.#onError = onError;
  }

  measure(metrics: Metrics): void {
    const gauge = (name: string, help: string, read: (totals: Totals) => number) =>
      metrics.gauge(`notification_${name}`, help, () => read(this.#totals));
    gauge('waiting', 'Notifications that are to be delivered.', ({ waiting }) => waiting);
    gauge('dead_letters', 'Notifications that could not be delivered.', ({ dead }) => dead);
    gauge('dropped', 'Notifications that were not kept since too much waited.', ({ dropped }) => dropped);
    gauge('lag_events', 'Events that were not yet looked at for notifications.', ({ lag }) => lag);
  }

  start(): void {
    const refresh = () => void this.#read().catch((error: unknown) => this.#onError(error, 'notifications: metrics'));
    this.#timer = setInterval(refresh, periodMs).unref();
    refresh();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  /** A sentence for health; throws one when something is to be done. */
  async check(): Promise<string> {
    const targets = await this.#read();
    const { waiting, dead, lag } = this.#totals;
    if (lag > lagMax) throw new Error(`${lag} events were not yet looked at for notifications.`);
    const full = targets.filter((one) => one.waiting >= backlogMax * fullShare || one.dropped > 0);
    if (full.length > 0) {
      const names = full.map((one) => `${one.name} (${one.waiting} wait, ${one.dropped} dropped)`);
      throw new Error(`Too much waits for targets that take too little: ${names.slice(0, 5).join(', ')}.`);
    }
    return `${targets.length} targets, ${waiting} waiting, ${dead} dead letters, ${lag} events behind`;
  }

  async #read(): Promise<readonly Target[]> {
    const targets = await this.#store.read(listTargets);
    const [cursor, last] = [await this.#store.read(cursorOf), await this.#store.read(lastEventId)];
    const sum = (read: (target: Target) => number) => targets.reduce((total, target) => total + read(target), 0);
    this.#totals = {
      waiting: sum((one) => one.waiting),
      dead: sum((one) => one.dead),
      dropped: sum((one) => one.dropped),
      // Without targets the cursor follows at leisure, and nothing is owed to anybody.
      lag: targets.length === 0 ? 0 : Math.max(0, last - cursor),
    };
    return targets;
  }
}

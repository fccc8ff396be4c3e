import type { Clock } from '../../kernel/ids.ts';
import type { Store } from '../../kernel/store/store.ts';
import { disableTarget } from '../changing/targets.ts';
import type { Sender, Sent } from '../senders/sender.ts';
import type { DeliveryRow } from '../tables.ts';
import type { Target } from '../target.ts';
import { type RetryPolicy, askedWaitMsMax, nextAttemptAt, restAfter } from './backoff.ts';
import { failDelivery } from './fail.ts';
import { takeDeliveries } from './turn.ts';

/** Beyond the deadline of a delivery, until others may take it for given up. */
const leaseMarginMs = 30_000;
const waitMsMin = 100;
const waitMsMax = 30_000;
const errorLengthMax = 1_000;

export interface LaneOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly retry: RetryPolicy;
  owner(): string;
  /** Told how each attempt ended, and how long it took. */
  onAttempt(target: string, outcome: Sent['outcome'], seconds: number): void;
  onError(error: unknown, about: string): void;
}

/** The deliveries of one target in this process: a bounded number at once, apart from those of all other targets. */
export class Lane {
  readonly target: Target;
  readonly #options: LaneOptions;
  readonly #sender: Sender;
  readonly #stopping = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  /** What ended since the last turn. */
  #delivered: number[] = [];
  #released: number[] = [];
  #turn: Promise<void> | null = null;
  #isWanted = false;
  #timer: NodeJS.Timeout | null = null;
  #failuresInRow = 0;
  #restUntilMs = 0;

  constructor(target: Target, sender: Sender, options: LaneOptions) {
    this.target = target;
    this.#sender = sender;
    this.#options = options;
  }

  /** Says that there may be something to deliver. Cheap, and may be called at any rate. */
  wake(): void {
    this.#isWanted = true;
    if (this.#stopping.signal.aborted) return;
    this.#turn ??= this.#turns().finally(() => {
      this.#turn = null;
      // Wanted after the last turn, and before it was known to be the last.
      if (this.#isWanted) this.wake();
    });
  }

  /** Gives up what is under way, notes what was delivered, and lets go of the target. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('it was given up'));
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#turn;
    await Promise.all(this.#underWay);
    this.#sender.close();
    if (this.#delivered.length + this.#released.length > 0) await this.#take(0);
  }

  async #turns(): Promise<void> {
    const { onError } = this.#options;
    try {
      while (this.#isWanted && !this.#stopping.signal.aborted) {
        this.#isWanted = false;
        const restMs = this.#restUntilMs - performance.now();
        const free = restMs > 0 ? 0 : this.target.settings.parallel - this.#underWay.size;
        if (restMs > 0) this.#schedule(restMs);
        if (free <= 0 && this.#delivered.length + this.#released.length === 0) break;
        await this.#take(Math.max(0, free));
      }
    } catch (error) {
      onError(error, `deliveries to ${this.target.name} were not taken`);
      this.#schedule(1_000);
    }
  }

  /** Takes off what was delivered, and begins at most `limit` more. */
  async #take(limit: number): Promise<void> {
    const { store, clock, owner } = this.#options;
    const { name, settings } = this.target;
    const [delivered, released] = [this.#delivered, this.#released];
    [this.#delivered, this.#released] = [[], []];
    const nowMs = clock.nowMs();
    const leaseMs = settings.timeoutMs + leaseMarginMs;
    try {
      const turn = { target: name, owner: owner(), delivered, released, limit, nowMs, leaseMs };
      const { rows, nextAtMs } = await store.write(takeDeliveries, turn);
      for (const row of rows) this.#begin(row, turn.owner);
      if (limit > 0 && nextAtMs !== null) this.#schedule(nextAtMs - nowMs);
    } catch (error) {
      this.#delivered.push(...delivered);
      this.#released.push(...released);
      throw error;
    }
  }

  #begin(row: DeliveryRow, owner: string): void {
    const work: Promise<void> = this.#deliver(row, owner)
      .catch((error: unknown) => this.#options.onError(error, `a delivery to ${this.target.name} was not noted`))
      .finally(() => {
        this.#underWay.delete(work);
        this.wake();
      });
    this.#underWay.add(work);
  }

  async #deliver(row: DeliveryRow, owner: string): Promise<void> {
    const { signal } = this.#stopping;
    const beganAt = performance.now();
    const sent = await this.#sender.send({ id: String(row.event_id), body: row.body }, signal);
    if (sent.outcome === 'failed' && signal.aborted) {
      this.#released.push(row.id);
      return;
    }
    this.#options.onAttempt(this.target.name, sent.outcome, (performance.now() - beganAt) / 1000);
    if (sent.outcome === 'delivered') {
      this.#failuresInRow = 0;
      this.#delivered.push(row.id);
    } else if (sent.outcome === 'gone') await this.#disable(row, sent.error);
    else await this.#fail(row, owner, sent);
  }

  /** Somebody who has changed the target meanwhile may have changed what it says. */
  async #disable(row: DeliveryRow, error: string): Promise<void> {
    const { store, clock } = this.#options;
    const { name, version } = this.target;
    const reason = error.slice(0, errorLengthMax);
    const gone = { name, version, reason, actor: 'holdfast', nowMs: clock.nowMs() };
    if (!(await store.write(disableTarget, gone))) this.#released.push(row.id);
  }

  async #fail(
    row: DeliveryRow,
    owner: string,
    { error, waitMs }: Sent & { readonly outcome: 'failed' },
  ): Promise<void> {
    const { store, clock, retry } = this.#options;
    this.#failuresInRow++;
    const restMs = Math.max(restAfter(retry, this.#failuresInRow), Math.min(waitMs ?? 0, askedWaitMsMax));
    this.#restUntilMs = Math.max(this.#restUntilMs, performance.now() + restMs);
    const message = { attempts: row.attempts, createdAtMs: row.created_at, askedWaitMs: waitMs };
    const dueAtMs = nextAttemptAt(retry, message, clock.nowMs(), Math.random());
    const { id, target } = row;
    await store.write(failDelivery, { id, target, owner, error: error.slice(0, errorLengthMax), dueAtMs });
  }

  #schedule(afterMs: number): void {
    if (this.#stopping.signal.aborted) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    const waitMs = Math.min(waitMsMax, Math.max(waitMsMin, afterMs));
    this.#timer = setTimeout(() => this.wake(), waitMs).unref();
  }
}

import { objectError } from '../errors.ts';

/** Gives a place back; more than once does nothing. */
export type Release = () => void;

export interface FairQueueOptions {
  /** How many are at work at once. */
  readonly places: number;
  /** How many may wait. */
  readonly waitingMax: number;
  /** How long one may wait, in ms. */
  readonly waitMs: number;
  /** The share of places that one lane may hold, so that its slow work does not shut the others out. 1 by default. */
  readonly laneShareMax?: number;
}

/** Those who share one turn. */
interface Lane {
  readonly name: string;
  busy: number;
  /** In the order in which they came. */
  readonly waiting: Set<Waiter>;
}

interface Waiter {
  readonly grant: () => void;
  readonly refuse: (error: unknown) => void;
}

/**
 * Lets a bounded number work at once. Who finds no place waits in the lane of its name, and lanes take turns: one that asks a
 * thousand times waits for itself, and not the others for it. When too many wait, the longest lane loses its last one.
 */
export class FairQueue {
  readonly #options: FairQueueOptions;
  readonly #laneMax: number;
  readonly #lanes = new Map<string, Lane>();
  /** Lanes where somebody waits and that may have more places; the next one to serve first. */
  readonly #turns = new Set<Lane>();
  #busy = 0;
  #waiting = 0;

  constructor(options: FairQueueOptions) {
    this.#options = options;
    this.#laneMax = Math.max(1, Math.ceil(options.places * (options.laneShareMax ?? 1)));
  }

  /** How many are at work. */
  get busy(): number {
    return this.#busy;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Waits for a place. Throws `SlowDown` when too many wait or it takes too long, and the signal's reason. */
  async enter(name: string, signal: () => AbortSignal): Promise<Release> {
    const lane = this.#laneOf(name);
    if (this.#busy >= this.#options.places || lane.busy >= this.#laneMax) await this.#wait(lane, signal());
    else this.#take(lane);
    return this.#releaseOf(lane);
  }

  #laneOf(name: string): Lane {
    let lane = this.#lanes.get(name);
    if (lane === undefined) this.#lanes.set(name, (lane = { name, busy: 0, waiting: new Set() }));
    return lane;
  }

  #take(lane: Lane): void {
    lane.busy += 1;
    this.#busy += 1;
  }

  async #wait(lane: Lane, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { grant: resolve, refuse: reject };
    const refuse = (error: unknown) => {
      if (this.#leave(lane, waiter)) reject(error);
    };
    const abort = () => refuse(signal.reason);
    const timer = setTimeout(() => refuse(objectError('SlowDown')), this.#options.waitMs);
    signal.addEventListener('abort', abort, { once: true });
    try {
      lane.waiting.add(waiter);
      this.#waiting += 1;
      if (lane.busy < this.#laneMax) this.#turns.add(lane);
      if (signal.aborted) abort();
      else if (this.#waiting > this.#options.waitingMax) this.#dropOne();
      await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    }
  }

  /** Gives whether it was still waiting. */
  #leave(lane: Lane, waiter: Waiter): boolean {
    if (!lane.waiting.delete(waiter)) return false;
    this.#waiting -= 1;
    if (lane.waiting.size === 0) this.#turns.delete(lane);
    this.#forget(lane);
    return true;
  }

  /** Refuses the last one of the longest lane. */
  #dropOne(): void {
    let longest: Lane | undefined;
    for (const lane of this.#lanes.values()) {
      // The one that came last of those that are alike, which is the one who has waited least.
      if (longest === undefined || lane.waiting.size >= longest.waiting.size) longest = lane;
    }
    const last = [...longest!.waiting].at(-1)!;
    this.#leave(longest!, last);
    last.refuse(objectError('SlowDown'));
  }

  #releaseOf(lane: Lane): Release {
    let isReleased = false;
    return () => {
      if (isReleased) return;
      isReleased = true;
      lane.busy -= 1;
      this.#busy -= 1;
      if (lane.waiting.size > 0) this.#turns.add(lane);
      this.#serve();
      this.#forget(lane);
    };
  }

  #serve(): void {
    while (this.#busy < this.#options.places) {
      const [lane] = this.#turns;
      if (lane === undefined) return;
      const [waiter] = lane.waiting;
      this.#turns.delete(lane);
      this.#take(lane);
      this.#leave(lane, waiter!);
      if (lane.waiting.size > 0 && lane.busy < this.#laneMax) this.#turns.add(lane);
      waiter!.grant();
    }
  }

  #forget(lane: Lane): void {
    if (lane.busy === 0 && lane.waiting.size === 0) this.#lanes.delete(lane.name);
  }
}

import type { KnownBackend } from '../backends/registry.ts';

/** A copy that can be opened, on a backend that is known. */
interface Candidate {
  readonly known: KnownBackend;
}

/** Something open that can be let go. */
interface Cancellable {
  cancel(): void;
}

type Open<C, O> = (candidate: C, signal: AbortSignal) => Promise<O>;

const boundMinMs = 20;
const boundMaxMs = 2_000;
const boundFactor = 2;
/** The shares of reads that may open a second copy, and that may measure a backend which the others pass over. */
const hedgeShare = 0.05;
const hedgeBurst = 5;
const probeShare = 0.02;
const probeBurst = 1;

/** What became of reads, counted since the start. */
export interface HedgingCounts {
  /** Second copies that were opened since the first one was late. */
  hedges: number;
  /** Those that came first. */
  wins: number;
  /** Those that were not opened, since too many were lately. */
  refusals: number;
  /** Reads that began at a backend which others pass over, to see whether it is quick again. */
  probes: number;
}

/**
 * Opens the first of several copies that gives its first bytes. When the best one is late by its own measure, one more is
 * opened beside it, and the one that comes second is cancelled. At most one more a read, and only for a share of reads: on a
 * day when all is slow, twice the load would make it slower. A read of a backend that gives nothing for two seconds, while
 * another is quick, is hedged beyond that share.
 */
export class Hedging {
  readonly counts: HedgingCounts = { hedges: 0, wins: 0, refusals: 0, probes: 0 };
  readonly #hedges = new ShareBudget(hedgeShare, hedgeBurst);
  readonly #probes = new ShareBudget(probeShare, probeBurst);
  readonly #opened: (tookMs: number) => void;

  /** `opened` hears how long each read waited for its first bytes. */
  constructor(opened: (tookMs: number) => void = () => {}) {
    this.#opened = opened;
  }

  /**
   * Opens the best of `candidates`, which are in order, going on as long as one fails. Gives `null` and tells `failed` of each
   * error when none can be opened. Throws only the reason of `signal`.
   */
  async open<C extends Candidate, O extends Cancellable>(
    candidates: readonly C[],
    open: Open<C, O>,
    signal: AbortSignal,
    failed: (error: unknown) => void,
  ): Promise<O | null> {
    const { ordered, boundMs } = this.#begin(candidates);
    const beganAtMs = performance.now();
    for (let at = 0; at < ordered.length;) {
      const [first, spare] = ordered.slice(at, at + 2);
      const race = spare !== undefined && isWell(spare) ? new Race(open, signal) : null;
      try {
        const opened =
          race === null
            ? await open(first!, signal)
            : await this.#raced(race, first!, spare!, at === 0 ? boundMs : boundOf(first!));
        this.#opened(performance.now() - beganAtMs);
        return opened;
      } catch (error) {
        signal.throwIfAborted();
        failed(error);
        at += race?.begun ?? 1;
      }
    }
    return null;
  }

  /** The order in which copies are tried, and how long the first one is waited for. */
  #begin<C extends Candidate>(candidates: readonly C[]): { readonly ordered: readonly C[]; readonly boundMs: number } {
    const [best] = candidates;
    if (best === undefined || candidates.length === 1) return { ordered: candidates, boundMs: 0 };
    this.#hedges.earn();
    this.#probes.earn();
    const boundMs = boundOf(best);
    const probed = candidates.slice(1).find((one) => one.known.reads?.isProbeDue === true && isWell(one));
    if (probed === undefined || !this.#probes.spend()) return { ordered: candidates, boundMs };
    probed.known.reads!.beginProbe();
    this.counts.probes += 1;
    // Whoever is measured may be as slow as before: its read is not to suffer from it.
    return { ordered: [probed, ...candidates.filter((one) => one !== probed)], boundMs };
  }

  async #raced<C extends Candidate, O extends Cancellable>(
    race: Race<C, O>,
    first: C,
    spare: C,
    boundMs: number,
  ): Promise<O> {
    race.begin(first);
    if (await race.isOverWithin(boundMs)) return race.winner();
    if (!this.#hedges.spend()) {
      this.counts.refusals += 1;
      // One that is stuck is left all the same, when the other is so quick that it can bear it.
      if (!isQuick(spare) || (await race.isOverWithin(boundMaxMs - boundMs))) return race.winner();
    }
    this.counts.hedges += 1;
    const second = race.begin(spare);
    const open = await race.winner();
    if (race.won === second) this.counts.wins += 1;
    return open;
  }
}

/** Copies that are being opened side by side; the first that is open ends the others. */
class Race<C, O extends Cancellable> {
  readonly #open: Open<C, O>;
  readonly #signal: AbortSignal;
  readonly #runs: { readonly opening: Promise<O>; readonly control: AbortController }[] = [];
  #won: number | null = null;

  constructor(open: Open<C, O>, signal: AbortSignal) {
    this.#open = open;
    this.#signal = signal;
  }

  /** How many were begun. */
  get begun(): number {
    return this.#runs.length;
  }

  /** The number of the one that came first. */
  get won(): number | null {
    return this.#won;
  }

  /** Begins to open one; gives its number. */
  begin(candidate: C): number {
    const control = new AbortController();
    const number = this.#runs.length;
    const opening = this.#open(candidate, AbortSignal.any([this.#signal, control.signal])).then((opened) => {
      if (this.#won !== null) opened.cancel();
      this.#won ??= number;
      return opened;
    });
    opening.catch(() => {});
    this.#runs.push({ opening, control });
    return number;
  }

  /** Waits until all that were begun have come or failed, at most `waitMs`; gives whether they have. */
  async isOverWithin(waitMs: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), waitMs);
    });
    const over = Promise.allSettled(this.#runs.map(({ opening }) => opening)).then(() => true);
    try {
      return await Promise.race([over, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** The first that is open; the others are cancelled. Throws the error of the last one when all fail. */
  async winner(): Promise<O> {
    try {
      const opened = await Promise.any(this.#runs.map(({ opening }) => opening));
      for (const [number, { control }] of this.#runs.entries()) {
        if (number !== this.#won) control.abort(new Error('Another copy was quicker.'));
      }
      return opened;
    } catch (error) {
      throw error instanceof AggregateError ? error.errors.at(-1) : error;
    }
  }
}

/** Allows something for a share of what is counted, and a few times more. */
class ShareBudget {
  readonly #share: number;
  readonly #burst: number;
  #left: number;

  constructor(share: number, burst: number) {
    this.#share = share;
    this.#burst = burst;
    this.#left = burst;
  }

  earn(): void {
    this.#left = Math.min(this.#burst, this.#left + this.#share);
  }

  spend(): boolean {
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}

/** How long a copy is waited for before another one is opened too, in ms. */
function boundOf({ known }: Candidate): number {
  const p95Ms = known.reads?.p95Ms ?? null;
  return p95Ms === null ? boundMaxMs : Math.min(boundMaxMs, Math.max(boundMinMs, p95Ms * boundFactor));
}

/** Whether it answers in a quarter of the longest wait; one of which too little is known has the benefit of the doubt. */
function isQuick({ known }: Candidate): boolean {
  return (known.reads?.p95Ms ?? 0) * boundFactor <= boundMaxMs / 4;
}

function isWell({ known }: Candidate): boolean {
  return known.isOpenFor('read') && !known.isOver('egress');
}

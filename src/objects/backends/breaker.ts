/** When a breaker opens, how long it stays open, and how long a probe may take. */
export interface BreakerPolicy {
  /** This many faults one after another open it. */
  readonly faultsInRowMax: number;
  /** So does this share of faults among the calls of the window, once there were `windowCallsMin` of them. */
  readonly windowFaultShare: number;
  readonly windowCallsMin: number;
  readonly windowMs: number;
  /** The first wait; each further opening multiplies it, up to the longest. */
  readonly waitMs: number;
  readonly waitMultiplier: number;
  readonly waitMaxMs: number;
  /** Up to this share of a wait is taken off by chance, so that many processes do not probe in step. */
  readonly jitterShare: number;
  /** A probe that has told nothing for this long no longer keeps others from probing. */
  readonly probeLeaseMs: number;
}

export const defaultBreakerPolicy: BreakerPolicy = {
  faultsInRowMax: 5,
  windowFaultShare: 0.5,
  windowCallsMin: 20,
  windowMs: 30_000,
  waitMs: 1_000,
  waitMultiplier: 2,
  waitMaxMs: 60_000,
  jitterShare: 0.2,
  probeLeaseMs: 30_000,
};

/** Hears when a closed breaker opens, and when it closes again. */
export type OnBreakerChange = (change: 'opened' | 'closed', reason: string | null) => void;

export type BreakerState = 'closed' | 'open' | 'half_open';

/** What a call told of the backend: it works, it is at fault, or nothing (the caller gave up or was wrong). */
export type CallOutcome = 'ok' | 'fault' | 'none';

/** Under which a call that was let through tells its outcome. */
export interface Ticket {
  readonly epoch: number;
  /** The probe lease, `null` for a call of a closed breaker. */
  readonly lease: number | null;
}

export interface BreakerView {
  readonly state: BreakerState;
  /** Of the last fault that opened it; `null` while it is closed. */
  readonly reason: string | null;
  /** How long until a call may pass; 0 when one may. */
  readonly retryAfterMs: number;
}

const slotsMax = 10;

/**
 * A circuit breaker without timers or I/O: it decides only from what it is told, and when. Times are milliseconds of one
 * monotonic clock, since a clock that is set back would keep it open.
 *
 * What makes it always find its way back:
 * - Only verdicts move it. A rejected call is no verdict, and neither is one whose caller gave up.
 * - A probe is a lease that ends by itself, so a probe whose caller died blocks nobody for longer than that.
 * - Calls that began before the last change of state tell nothing any more: what hung through an outage and fails after
 *   it does not open the breaker again.
 */
export class Breaker {
  readonly #policy: BreakerPolicy;
  readonly #random: () => number;
  readonly #window: FaultWindow;
  readonly #onChange: OnBreakerChange;
  #state: BreakerState = 'closed';
  #epoch = 0;
  #faultsInRow = 0;
  #openings = 0;
  #openUntilMs = 0;
  #closedAtMs = Number.NEGATIVE_INFINITY;
  #leases = 0;
  #lease: { readonly id: number; readonly untilMs: number } | null = null;
  #reason: string | null = null;

  /** `random` gives numbers from 0 up to 1. */
  constructor(policy: BreakerPolicy, random: () => number, onChange: OnBreakerChange = () => {}) {
    this.#onChange = onChange;
    this.#policy = policy;
    this.#random = random;
    this.#window = new FaultWindow(policy.windowMs);
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  /** Lets a call through, as a probe where it is time for one; `null` when it is rejected. */
  admit(nowMs: number): Ticket | null {
    if (this.#state === 'closed') return { epoch: this.#epoch, lease: null };
    if (!this.isProbeDue(nowMs)) return null;
    this.#state = 'half_open';
    this.#lease = { id: ++this.#leases, untilMs: nowMs + this.#policy.probeLeaseMs };
    return { epoch: this.#epoch, lease: this.#lease.id };
  }

  /** Whether it is not closed and the next call would be its probe. */
  isProbeDue(nowMs: number): boolean {
    if (this.#state === 'closed') return false;
    return this.#retryAfterMs(nowMs) === 0;
  }

  /** Takes a call's outcome. Gives the ticket under which more can be told of the same call. */
  settle(ticket: Ticket, outcome: CallOutcome, nowMs: number, reason: string | null = null): Ticket {
    if (ticket.lease !== null) return this.#settleProbe(ticket, outcome, nowMs, reason);
    if (this.#state !== 'closed' || ticket.epoch !== this.#epoch || outcome === 'none') return ticket;
    const isFault = outcome === 'fault';
    this.#faultsInRow = isFault ? this.#faultsInRow + 1 : 0;
    this.#window.add(isFault, nowMs);
    if (isFault && this.#isTooMuch(nowMs)) this.#open(nowMs, reason);
    return ticket;
  }

  view(nowMs: number): BreakerView {
    const isClosed = this.#state === 'closed';
    return {
      state: this.#state,
      reason: isClosed ? null : this.#reason,
      retryAfterMs: isClosed ? 0 : this.#retryAfterMs(nowMs),
    };
  }

  #settleProbe(ticket: Ticket, outcome: CallOutcome, nowMs: number, reason: string | null): Ticket {
    // Another probe holds the lease now, or has settled the matter.
    if (this.#state !== 'half_open' || this.#lease?.id !== ticket.lease) return ticket;
    this.#lease = null;
    if (outcome === 'fault') this.#open(nowMs, reason);
    if (outcome === 'ok') this.#close(nowMs);
    return { epoch: this.#epoch, lease: null };
  }

  #retryAfterMs(nowMs: number): number {
    const untilMs = this.#state === 'open' ? this.#openUntilMs : (this.#lease?.untilMs ?? nowMs);
    return Math.max(0, untilMs - nowMs);
  }

  #isTooMuch(nowMs: number): boolean {
    const { faultsInRowMax, windowCallsMin, windowFaultShare } = this.#policy;
    if (this.#faultsInRow >= faultsInRowMax) return true;
    const { calls, faults } = this.#window.at(nowMs);
    return calls >= windowCallsMin && faults >= calls * windowFaultShare;
  }

  #open(nowMs: number, reason: string | null): void {
    const { waitMs, waitMultiplier, waitMaxMs, jitterShare } = this.#policy;
    // A backend that answers probes and fails at work would otherwise be let back after the first wait, again and again.
    const wasCalm = this.#state === 'closed' && nowMs - this.#closedAtMs >= waitMaxMs;
    this.#openings = wasCalm ? 0 : this.#openings;
    const isNew = this.#state === 'closed';
    const fullMs = Math.min(waitMaxMs, waitMs * waitMultiplier ** this.#openings);
    this.#openings += 1;
    this.#openUntilMs = nowMs + fullMs * (1 - jitterShare * this.#random());
    this.#state = 'open';
    this.#epoch += 1;
    this.#reason = reason;
    if (isNew) this.#onChange('opened', reason);
  }

  #close(nowMs: number): void {
    this.#state = 'closed';
    this.#epoch += 1;
    this.#closedAtMs = nowMs;
    this.#faultsInRow = 0;
    this.#window.clear();
    this.#onChange('closed', null);
  }
}

/** Calls and faults of the last while, in a few slots of time. */
class FaultWindow {
  readonly #windowMs: number;
  #slots: { readonly fromMs: number; calls: number; faults: number }[] = [];

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  add(isFault: boolean, nowMs: number): void {
    let slot = this.#slots.at(-1);
    if (slot === undefined || nowMs - slot.fromMs >= this.#windowMs / slotsMax) {
      slot = { fromMs: nowMs, calls: 0, faults: 0 };
      this.#forget(nowMs);
      this.#slots.push(slot);
    }
    slot.calls += 1;
    if (isFault) slot.faults += 1;
  }

  at(nowMs: number): { readonly calls: number; readonly faults: number } {
    this.#forget(nowMs);
    const sum = { calls: 0, faults: 0 };
    for (const { calls, faults } of this.#slots) {
      sum.calls += calls;
      sum.faults += faults;
    }
    return sum;
  }

  clear(): void {
    this.#slots = [];
  }

  #forget(nowMs: number): void {
    this.#slots = this.#slots.filter(({ fromMs }) => nowMs - fromMs < this.#windowMs);
  }
}

import { HoldfastError, toErrorData } from '../../kernel/errors/errors.ts';
import type { Clock } from '../../kernel/ids.ts';
import type { ByteRange, Content } from '../content/content.ts';
import {
  type BlobFacts,
  type BlobPage,
  type ListPage,
  type ObjectBackend,
  type ObjectBackendCapabilities,
  type ObjectBackendHealth,
  type OpenBlob,
  type PutOptions,
  isBackendFault,
} from './backend.ts';
import { Breaker, type BreakerPolicy, type BreakerView, type CallOutcome, type Ticket } from './breaker.ts';
import { Drain, Feed } from './guarded-content.ts';
import { ReadHealth } from './latency.ts';
import type { UsageDelta } from './usage.ts';
import { WatchedCall } from './watched-call.ts';

/** Hears of each call: how long it took in seconds, and `ok`, `rejected` by the breaker, or the kind of its error. */
export type ObjectBackendObserver = (backend: string, verb: string, result: string, seconds: number) => void;

export interface GuardTimeouts {
  /** Of calls that answer at once: head, delete, list, health. */
  readonly answerMs: number;
  /** How long a put or get may go without a byte moving. Streams as such have no limit. */
  readonly idleMs: number;
  /** Of a copy inside the real system, which moves bytes without telling. */
  readonly copyMs: number;
}

export const defaultGuardTimeouts: GuardTimeouts = { answerMs: 15_000, idleMs: 30_000, copyMs: 600_000 };

/** A breaker that opened or closed, in this process. */
export interface CircuitChange {
  readonly backend: string;
  /** Which calls it stops. */
  readonly lane: 'read' | 'write';
  readonly change: 'opened' | 'closed';
  /** The fault that opened it. */
  readonly reason: string | null;
}

export type OnCircuit = (change: CircuitChange) => void;

export interface GuardOptions {
  readonly name: string;
  readonly policy: BreakerPolicy;
  readonly timeouts: GuardTimeouts;
  /** Monotonic. */
  readonly clock: Clock;
  readonly random: () => number;
  readonly count: (delta: UsageDelta) => void;
  readonly observe: ObjectBackendObserver;
  readonly onCircuit?: OnCircuit;
}

/**
 * A full disk fails every write and still gives every byte that it has, so writes have a breaker of their own. Deletes go
 * with the reads: they are what makes room again.
 */
type Lane = 'read' | 'write';

/** A call that was let through. */
interface Pass {
  readonly verb: string;
  readonly lane: Lane;
  ticket: Ticket;
  readonly call: WatchedCall;
  readonly beganAtMs: number;
}

/** A backend whose every call is let through by a breaker, has a deadline, and is counted and timed. */
export class GuardedBackend implements ObjectBackend {
  readonly #inner: ObjectBackend;
  readonly #options: GuardOptions;
  readonly #lanes: Readonly<Record<Lane, Breaker>>;
  /** What reads were like lately. */
  readonly reads: ReadHealth;
  #active = 0;
  #closing: Promise<void> | null = null;
  #whenIdle: () => void = () => {};

  constructor(inner: ObjectBackend, options: GuardOptions) {
    this.#inner = inner;
    this.#options = options;
    const { name, policy, random, clock, onCircuit } = options;
    this.reads = new ReadHealth(clock);
    const lane = (which: Lane) =>
      new Breaker(policy, random, (change, reason) => onCircuit?.({ backend: name, lane: which, change, reason }));
    this.#lanes = { read: lane('read'), write: lane('write') };
  }

  get capabilities(): ObjectBackendCapabilities {
    return this.#inner.capabilities;
  }

  /** Without the guard: for a test that somebody asked for, which must not be rejected. */
  get unguarded(): ObjectBackend {
    return this.#inner;
  }

  /** A read may be the probe, since it can turn to another copy; a write cannot be sent twice, so it waits for one. */
  isOpenFor(purpose: 'read' | 'write'): boolean {
    const { read, write } = this.#lanes;
    if (purpose === 'write') return read.isClosed && write.isClosed;
    return read.isClosed || read.isProbeDue(this.#nowMs());
  }

  /** Of the lane that is worse off. */
  breakerView(): BreakerView & { readonly lane: Lane } {
    const nowMs = this.#nowMs();
    const lane = this.#lanes.read.isClosed && !this.#lanes.write.isClosed ? 'write' : 'read';
    return { ...this.#lanes[lane].view(nowMs), lane };
  }

  /** Asks for the health where a breaker waits for a probe: the way back that needs no traffic. Never throws. */
  async probe(): Promise<void> {
    const nowMs = this.#nowMs();
    const isDue = Object.values(this.#lanes).some((breaker) => breaker.isProbeDue(nowMs));
    if (!isDue) return;
    await this.health(new AbortController().signal).catch(() => {});
  }

  /** Never rejected, since asking is how one learns of the way back; it is the probe where one is due. */
  async health(signal: AbortSignal): Promise<ObjectBackendHealth> {
    signal.throwIfAborted();
    const nowMs = this.#nowMs();
    const { read, write } = this.#lanes;
    const ticket = read.admit(nowMs);
    const probe = write.isProbeDue(nowMs) ? write.admit(nowMs) : null;
    const settle = (outcome: CallOutcome, reason: string | null) => {
      if (ticket !== null) read.settle(ticket, outcome, this.#nowMs(), reason);
      if (probe !== null) write.settle(probe, outcome, this.#nowMs(), reason);
    };
    const pass = this.#begin('health', 'read', { epoch: -1, lease: null }, signal, this.#options.timeouts.answerMs);
    try {
      const health = await pass.call.orReasonSoon(this.#inner.health(pass.call.signal));
      settle('ok', null);
      this.#told(pass, 'ok');
      return health;
    } catch (error) {
      const thrown = this.#verdict(pass, error, null);
      // One that wants less is one that works.
      const isBusy = toErrorData(thrown.error).kind === 'overloaded';
      settle(isBusy ? 'ok' : thrown.outcome, toErrorData(thrown.error).message);
      throw thrown.error;
    } finally {
      this.#end(pass);
    }
  }

  async put(key: string, content: Content, { signal, ...rest }: PutOptions): Promise<void> {
    const pass = this.#pass('put', 'write', signal, this.#options.timeouts.idleMs);
    const options = { ...rest, signal: pass.call.signal };
    const feed = Buffer.isBuffer(content) ? null : new Feed(content, pass.call);
    try {
      await this.#judged(pass, this.#inner.put(key, feed?.content() ?? content, options), feed);
    } finally {
      const ingressBytes = feed?.bytes ?? (content as Buffer).length;
      this.#options.count({ requests: 0, ingressBytes, egressBytes: 0 });
      this.#end(pass);
      await feed?.release();
    }
  }

  async get(key: string, range: ByteRange | null, signal: AbortSignal, into?: Buffer): Promise<OpenBlob | null> {
    const pass = this.#pass('get', 'read', signal, this.#options.timeouts.idleMs);
    let isHandedOver = false;
    let isLost = false;
    try {
      const opening = this.#inner.get(key, range, pass.call.signal, into);
      // An answer that comes when nobody waits any more still has something open.
      opening.then(
        (late) => isLost && late?.cancel(),
        () => {},
      );
      const blob = await pass.call.orReasonSoon(opening);
      this.reads.answered(this.#nowMs() - pass.beganAtMs);
      if (blob === null || Buffer.isBuffer(blob.content)) {
        const egressBytes = Buffer.isBuffer(blob?.content) ? blob.content.length : 0;
        this.#options.count({ requests: 0, ingressBytes: 0, egressBytes });
        this.#settle(pass, 'ok', null);
        this.#told(pass, 'ok');
        return blob;
      }
      isHandedOver = true;
      this.#told(pass, 'ok');
      return this.#openStream(blob, blob.content, pass);
    } catch (error) {
      isLost = true;
      this.#noteUnread(pass, error);
      throw this.#failed(pass, error, null);
    } finally {
      if (!isHandedOver) this.#end(pass);
    }
  }

  head(key: string, signal: AbortSignal): Promise<BlobFacts | null> {
    return this.#atOnce('head', 'read', signal, (inside) => this.#inner.head(key, inside));
  }

  delete(key: string, signal: AbortSignal): Promise<'deleted' | 'absent'> {
    return this.#atOnce('delete', 'read', signal, (inside) => this.#inner.delete(key, inside));
  }

  list(page: ListPage, signal: AbortSignal): Promise<BlobPage> {
    return this.#atOnce('list', 'read', signal, (inside) => this.#inner.list(page, inside));
  }

  copy(source: string, target: string, signal: AbortSignal): Promise<'copied' | 'absent'> {
    return this.#atOnce('copy', 'write', signal, (inside) => this.#inner.copy(source, target, inside));
  }

  /** Waits for calls and streams under way, at most `graceMs`, and closes the real one, once. A later call may hasten it. */
  close(graceMs = 0): Promise<void> {
    this.#closing ??= new Promise<void>((resolve) => (this.#whenIdle = resolve)).then(() => this.#inner.close());
    if (this.#active === 0 || graceMs === 0) this.#whenIdle();
    else setTimeout(this.#whenIdle, graceMs).unref();
    return this.#closing;
  }

  async #atOnce<T>(
    verb: string,
    lane: Lane,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { answerMs, copyMs } = this.#options.timeouts;
    const pass = this.#pass(verb, lane, signal, verb === 'copy' ? copyMs : answerMs);
    try {
      const result = await this.#judged(pass, work(pass.call.signal), null);
      if (verb === 'head') this.reads.answered(this.#nowMs() - pass.beganAtMs);
      return result;
    } finally {
      this.#end(pass);
    }
  }

  async #judged<T>(pass: Pass, work: Promise<T>, feed: Feed | null): Promise<T> {
    try {
      const result = await pass.call.orReasonSoon(work);
      this.#settle(pass, 'ok', null);
      this.#told(pass, 'ok');
      return result;
    } catch (error) {
      throw this.#failed(pass, error, feed);
    }
  }

  #openStream(blob: OpenBlob, content: AsyncIterable<Buffer>, pass: Pass): OpenBlob {
    let isOver = false;
    // A probe has told what it was sent for; its lease would only run out while its bytes flow.
    if (pass.ticket.lease !== null) this.#settle(pass, 'ok', null);
    const over = (outcome: CallOutcome, reason: string | null) => {
      if (isOver) return;
      isOver = true;
      this.#options.count({ requests: 0, ingressBytes: 0, egressBytes: drain.bytes });
      this.#settle(pass, outcome, reason);
      this.#end(pass);
      blob.cancel();
    };
    const drain = new Drain(content, pass.call, {
      failed: (thrown) => {
        const { error, outcome } = this.#verdict(pass, thrown, null);
        over(outcome, toErrorData(error).message);
        return error;
      },
      ended: () => over('ok', null),
    });
    pass.call.pause();
    return { sizeBytes: blob.sizeBytes, content: drain.content(), cancel: () => over('ok', null) };
  }

  /** Throws when the breaker says no, or the caller has given up already. */
  #pass(verb: string, lane: Lane, signal: AbortSignal, limitMs: number): Pass {
    signal.throwIfAborted();
    const { name, observe } = this.#options;
    const ticket = this.#lanes[lane].admit(this.#nowMs());
    if (ticket !== null) return this.#begin(verb, lane, ticket, signal, limitMs);
    observe(name, verb, 'rejected', 0);
    const { reason, retryAfterMs } = this.#lanes[lane].view(this.#nowMs());
    const why = reason === null ? '' : ` The last fault was: ${reason}`;
    throw new HoldfastError('unavailable', `Backend ${name} is left alone for a while, since its calls failed.${why}`, {
      reason: 'circuit_open',
      backend: name,
      retry_after_ms: Math.ceil(retryAfterMs),
    });
  }

  #begin(verb: string, lane: Lane, ticket: Ticket, signal: AbortSignal, limitMs: number): Pass {
    const call = new WatchedCall(signal, limitMs, () => this.#lateError(verb, limitMs));
    this.#active += 1;
    this.#options.count({ requests: 1, ingressBytes: 0, egressBytes: 0 });
    return { verb, lane, ticket, call, beganAtMs: this.#nowMs() };
  }

  #end(pass: Pass): void {
    pass.call.end();
    this.#active -= 1;
    if (this.#active === 0) this.#whenIdle();
  }

  #failed(pass: Pass, error: unknown, feed: Feed | null): unknown {
    const verdict = this.#verdict(pass, error, feed);
    this.#settle(pass, verdict.outcome, toErrorData(verdict.error).message);
    return verdict.error;
  }

  /** Whose fault an error is, and what to throw for it. The one place where that is decided. */
  #verdict(pass: Pass, error: unknown, feed: Feed | null): { readonly error: unknown; readonly outcome: CallOutcome } {
    const { call } = pass;
    let verdict: { error: unknown; outcome: CallOutcome };
    if (call.isGivenUp) verdict = { error: call.signal.reason as unknown, outcome: 'none' };
    else if (call.isLate) verdict = { error: call.signal.reason as unknown, outcome: 'fault' };
    else if (feed !== null && feed.failure !== null) verdict = { error: feed.failure.error, outcome: 'none' };
    else verdict = { error, outcome: isBackendFault(error) ? 'fault' : 'none' };
    this.#told(pass, call.isGivenUp ? 'cancelled' : toErrorData(verdict.error).kind);
    return verdict;
  }

  /** A read that gave no byte. One that nobody waited for any longer is no fault, and yet says how slow it was. */
  #noteUnread({ call, beganAtMs }: Pass, error: unknown): void {
    if (call.isGivenUp || call.isLate) this.reads.abandoned(this.#nowMs() - beganAtMs);
    const wantsLess = toErrorData(error).kind === 'overloaded';
    if (call.isLate || (!call.isGivenUp && (wantsLess || isBackendFault(error)))) this.reads.failed();
  }

  #settle(pass: Pass, outcome: CallOutcome, reason: string | null): void {
    pass.ticket = this.#lanes[pass.lane].settle(pass.ticket, outcome, this.#nowMs(), reason);
  }

  #told(pass: Pass, result: string): void {
    const { name, observe } = this.#options;
    observe(name, pass.verb, result, (this.#nowMs() - pass.beganAtMs) / 1_000);
  }

  #lateError(verb: string, limitMs: number): HoldfastError {
    const { name } = this.#options;
    const isStream = verb === 'put' || verb === 'get';
    const what = isStream ? `moved no byte of a ${verb}` : `did not answer a ${verb}`;
    const isChange = verb === 'put' || verb === 'delete' || verb === 'copy';
    return new HoldfastError('unavailable', `Backend ${name} ${what} for ${limitMs / 1_000} s.`, {
      reason: 'timeout',
      backend: name,
      ...(isChange ? { outcome: 'unknown' } : {}),
    });
  }

  #nowMs(): number {
    return this.#options.clock.nowMs();
  }
}

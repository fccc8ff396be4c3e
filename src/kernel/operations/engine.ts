import { setTimeout as delay } from 'node:timers/promises';
import { type Span, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api';
import { eventsTopic } from '../events/follower.ts';
import { HoldfastError, toErrorData } from '../errors/errors.ts';
import type { Clock, IdSource } from '../ids.ts';
import type { Store } from '../store/store.ts';
import { contextOf, withSpan } from '../telemetry/tracing.ts';
import type { Call, Transaction } from '../store/transaction.ts';
import { requestCancel } from './cancel.ts';
import { type Conclusion, conclude } from './conclude.ts';
import { AdoptionLoop } from './adoption.ts';
import type { Operation, OperationKind } from './operation.ts';
import { getOperation, getSteps } from './queries.ts';
import { ReplicaLease } from './replica-lease.ts';
import { Run, type RunContext } from './run.ts';
import { Slots } from '../concurrency/slots.ts';
import { sendSignal } from './signals.ts';
import type { Accepted, OperationRequest, RunData } from './start.ts';
import { Wakeups } from './wakeups.ts';

export const operationsTopic = 'operations';
const cancelTopic = 'cancel';
const signalTopic = 'signal';
/** Says that somebody gave operations back. */
const givenBackTopic = 'given-back';
const acceptAttemptsMax = 4;

/** What happens inside the engine, for logs and metrics. */
export interface EngineObserver {
  onFinished?(run: RunData, status: string, durationMs: number): void;
  onAttempt?(run: RunData, step: string, result: 'ok' | 'failed'): void;
  onAdopted?(runs: readonly RunData[]): void;
  onLeaseLost?(replicaId: string): void;
  onError?(error: unknown, about: string): void;
}

export interface EngineOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly newId: IdSource;
  /** Bodies of steps that run at once in this process. */
  readonly runningMax: number;
  /** Operations that this process holds in memory; past it new ones are refused (`overloaded`). */
  readonly heldMax: number;
  readonly leaseTtlMs: number;
  readonly observer?: EngineObserver;
  readonly tracer?: Tracer;
}

export interface Wish {
  readonly actor: string;
  readonly idempotency: OperationRequest['idempotency'];
  readonly traceparent?: string | null;
}

/**
 * Runs durable operations: accepts them in the domain's own transaction, begins them at once, resumes what a crash cut
 * off, and gives back what it holds when it stops.
 */
export class Engine {
  readonly #options: EngineOptions;
  readonly #observer: EngineObserver;
  // A kind's own input type is checked where it is defined; here they are all alike.
  readonly #kinds = new Map<string, OperationKind<never>>();
  readonly #runs = new Map<string, { run: Run<unknown>; settled: Promise<void> }>();
  readonly #slots: Slots;
  readonly #tracer: Tracer;
  readonly #wakeups = new Wakeups();
  readonly #lease: ReplicaLease;
  readonly #adoption: AdoptionLoop;
  readonly #unsubscribe: (() => void)[] = [];
  #accepting = 0;
  #isStopping = false;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#observer = options.observer ?? {};
    this.#slots = new Slots(options.runningMax);
    this.#tracer = options.tracer ?? trace.getTracer('holdfast');
    const { store, clock, newId, leaseTtlMs } = options;
    this.#lease = new ReplicaLease({ store, clock, newId, ttlMs: leaseTtlMs, onLost: (id) => this.#onLeaseLost(id) });
    this.#adoption = new AdoptionLoop({
      store,
      clock,
      owner: () => (this.#lease.isHeld ? this.#lease.id : null),
      known: (id) => this.#runs.get(id)?.run ?? null,
      begin: (run, owner) => this.#begin(run, owner, true),
      onAdopted: (runs) => this.#observer.onAdopted?.(runs),
      onError: (error) => this.#observer.onError?.(error, 'adoption'),
    });
  }

  get replicaId(): string {
    return this.#lease.id;
  }

  get heldCount(): number {
    return this.#runs.size;
  }

  register<I, O>(kind: OperationKind<I, O>): void {
    if (this.#kinds.has(kind.name)) throw new Error(`the operation kind ${kind.name} is registered twice`);
    this.#kinds.set(kind.name, kind as unknown as OperationKind<never>);
  }

  /** Enters the store and resumes what nobody owns. Kinds must be registered before. */
  async start(): Promise<void> {
    const { store } = this.#options;
    this.#unsubscribe.push(
      store.subscribe(cancelTopic, (id) => this.#runs.get(id)?.run.stop('cancelled')),
      store.subscribe(signalTopic, (id) => this.#wakeups.wake(id)),
      store.subscribe(givenBackTopic, () => this.#adoption.wake()),
    );
    await this.#lease.start();
    await this.#adoption.start();
  }

  /**
   * Runs an accepting transaction (one that ends with `startOperation`) and begins the operation. A commit whose answer
   * was lost is repeated under the same id, so that it is found and not done twice.
   */
  async accept<P>(
    target: Transaction<{ readonly request: OperationRequest } & P, Accepted>,
    wish: Wish,
    params: P,
  ): Promise<Accepted> {
    const { clock, newId } = this.#options;
    this.#admit();
    const request: OperationRequest = {
      operationId: newId('op'),
      owner: this.#lease.id,
      actor: wish.actor,
      nowMs: clock.nowMs(),
      idempotency: wish.idempotency,
      traceparent: wish.traceparent ?? null,
    };
    this.#accepting++;
    try {
      const accepted = await this.#writeKnowingly(target, { request, ...params });
      if (accepted.run !== null) this.#begin(accepted.run, request.owner, false);
      this.#options.store.publish(eventsTopic, '');
      return accepted;
    } finally {
      this.#accepting--;
    }
  }

  /** Those on their way in count too, or a burst of requests would find room for all of itself. */
  #admit(): void {
    if (this.#isStopping) throw new HoldfastError('unavailable', 'The server is stopping.');
    if (!this.#lease.isHeld) {
      throw new HoldfastError('unavailable', 'The server has lost its lease and takes a new one; try again shortly.');
    }
    const held = this.#runs.size + this.#accepting;
    if (held >= this.#options.heldMax) {
      throw new HoldfastError('overloaded', 'Too many operations are under way; try again shortly.', { held });
    }
  }

  async #writeKnowingly<P, R>(target: Transaction<P, R>, params: P): Promise<R> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#options.store.write(target, params);
      } catch (error) {
        const isUnknown = error instanceof HoldfastError && error.details['outcome'] === 'unknown';
        if (!isUnknown || attempt >= acceptAttemptsMax) throw error;
        await delay(50 * 2 ** attempt);
      }
    }
  }

  /** Asks an operation to end; see `requestCancel`. Gives it as it is then. */
  async cancel(operationId: string): Promise<Operation> {
    const { store, clock } = this.#options;
    const operation = await store.read((reader) => getOperation(reader, operationId));
    if (operation === null) throw new HoldfastError('not_found', `There is no operation ${operationId}.`);
    const kind = this.#kind(operation.kind);
    const nowMs = clock.nowMs();
    const { id, resource, actor } = operation;
    const facts = { id, resource, actor, input: operation.input as never, nowMs };
    const beforeStart: Call | null = kind.onCancelledBeforeStart?.(facts) ?? null;
    const isCancellable = kind.cancel !== undefined;
    const result = await store.write(requestCancel, { operationId, resource, isCancellable, beforeStart, nowMs });
    if (result === 'requested') store.publish(cancelTopic, operationId);
    this.#told(operationId, true);
    return (await store.read((reader) => getOperation(reader, operationId)))!;
  }

  /** Sends a signal to an operation; see `Op.waitFor`. */
  async signal(operationId: string, name: string, payload: unknown): Promise<void> {
    const { store, clock } = this.#options;
    await store.write(sendSignal, { operationId, name, payload, nowMs: clock.nowMs() });
    store.publish(signalTopic, operationId);
  }

  /** Looks for work that nobody owns, now rather than at the next tick. */
  async adoptNow(): Promise<void> {
    await this.#adoption.tick();
  }

  /** Aborts what is under way, waits up to `timeoutMs` for it to settle, and gives it back. Does not throw. */
  async stop(timeoutMs: number): Promise<void> {
    this.#isStopping = true;
    for (const end of this.#unsubscribe) end();
    this.#adoption.stop();
    const settling = [...this.#runs.values()].map(({ run, settled }) => {
      run.stop('shutdown');
      return settled;
    });
    await Promise.race([Promise.all(settling), delay(timeoutMs, undefined, { ref: false })]);
    for (const { run } of this.#runs.values()) run.stop('lost');
    try {
      await this.#lease.release();
      this.#options.store.publish(givenBackTopic, '');
    } catch (error) {
      this.#observer.onError?.(error, 'giving operations back');
    }
  }

  #begin(data: RunData, owner: string, isAdopted: boolean): void {
    // Ours under a lease that was lost meanwhile is not ours: whoever takes it over begins it.
    if (this.#runs.has(data.id) || owner !== this.#lease.id) return;
    // Registered before the journal is read: a cancel that comes meanwhile must find it.
    const pending = isAdopted ? this.#options.store.read((reader) => getSteps(reader, data.id)) : Promise.resolve([]);
    const run = new Run<unknown>(data, this.#context(owner));
    const settled = this.#drive(run, pending).finally(() => this.#runs.delete(data.id));
    this.#runs.set(data.id, { run, settled });
    if (this.#isStopping) run.stop('shutdown');
  }

  async #drive(run: Run<unknown>, steps: ReturnType<typeof getSteps> | Promise<never[]>): Promise<void> {
    try {
      run.replay(await steps);
      const attributes = { 'holdfast.operation': run.id, 'holdfast.resource': run.resource };
      const parent = contextOf(run.data.traceparent);
      await withSpan(this.#tracer, run.data.kind, attributes, parent, (span) => this.#carry(run, span));
    } catch (error) {
      // The run stays ours in the store; the adoption loop finds it there and begins it again.
      if (run.stopReason === null) this.#observer.onError?.(error, `operation ${run.id}`);
    }
  }

  async #carry(run: Run<unknown>, span: Span): Promise<void> {
    run.span = span;
    const kind = this.#kind(run.data.kind);
    const conclusion = await conclude(run, kind as unknown as OperationKind<unknown>, this.#options.clock, (error) =>
      this.#observer.onError?.(error, `operation ${run.id}`),
    );
    if (conclusion === null) return;
    const { status, next } = await this.#finish(run, conclusion);
    if (conclusion.error !== null) span.setStatus({ code: SpanStatusCode.ERROR, message: conclusion.error.message });
    const durationMs = this.#options.clock.nowMs() - run.data.createdAtMs;
    this.#observer.onFinished?.(run.data, status, durationMs);
    if (next !== null) this.#begin(next, run.owner, false);
  }

  /** When the domain refuses its own last word, the operation still ends, and says so. */
  async #finish(run: Run<unknown>, conclusion: Conclusion): Promise<Awaited<ReturnType<Run<unknown>['finish']>>> {
    try {
      return await run.finish(conclusion);
    } catch (error) {
      if (run.stopReason !== null || conclusion.commit === null) throw error;
      this.#observer.onError?.(error, `end of operation ${run.id}`);
      return run.finish({
        status: 'failed',
        output: null,
        error: conclusion.error ?? toErrorData(error),
        commit: null,
      });
    }
  }

  #kind(name: string): OperationKind<never> {
    const kind = this.#kinds.get(name);
    if (kind === undefined) throw new HoldfastError('internal', `This version knows no operation kind ${name}.`);
    return kind;
  }

  #context(owner: string): RunContext {
    const { store, clock } = this.#options;
    return {
      store,
      clock,
      slots: this.#slots,
      tracer: this.#tracer,
      owner,
      onWritten: (run, hasEvents) => this.#told(run.id, hasEvents),
      onAttempt: (run, step, result) => this.#observer.onAttempt?.(run, step, result),
      onJournalError: (run, error) => this.#observer.onError?.(error, `journal of ${run.id}`),
      signalled: (id, atMostMs, signal) => this.#wakeups.wait(id, atMostMs, signal),
    };
  }

  #told(operationId: string, hasEvents: boolean): void {
    this.#options.store.publish(operationsTopic, operationId);
    if (hasEvents) this.#options.store.publish(eventsTopic, '');
  }

  #onLeaseLost(replicaId: string): void {
    for (const { run } of this.#runs.values()) run.stop('lost');
    this.#observer.onLeaseLost?.(replicaId);
  }
}

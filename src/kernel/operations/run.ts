import { setTimeout as delay } from 'node:timers/promises';
import { ROOT_CONTEXT, type Span, type Tracer, trace } from '@opentelemetry/api';
import { type ErrorData, fromErrorData, toErrorData } from '../errors/errors.ts';
import type { Clock } from '../ids.ts';
import { isStoreTrouble, type Store } from '../store/store.ts';
import type { Transaction } from '../store/transaction.ts';
import { runAttempt } from './attempt.ts';
import type { Conclusion } from './conclude.ts';
import { finishOperation } from './finish.ts';
import { type JournalResult, type Ownership, beginRetry, beginSleep, completeStep, failAttempt } from './journal.ts';
import type { Attempt, FailedAttempt, Op, Step, StepOptions } from './operation.ts';
import { defaultPolicy, mayPass, nextWaitMs } from './policy.ts';
import type { Slots } from '../concurrency/slots.ts';
import { withSpan } from '../telemetry/tracing.ts';
import type { RunData } from './start.ts';
import { StoppedError, type StopReason, waitUntil } from './stopping.ts';

/** What a run uses of the process around it. */
export interface RunContext {
  readonly store: Store;
  readonly clock: Clock;
  readonly slots: Slots;
  readonly owner: string;
  readonly tracer: Tracer;
  /** Called after each journal write. */
  onWritten(run: RunData, hasEvents: boolean): void;
  onAttempt(run: RunData, step: string, result: 'ok' | 'failed'): void;
  onJournalError(run: RunData, error: unknown): void;
  /** Resolves at the next signal for this operation, at the latest after `atMostMs`. */
  signalled(operationId: string, atMostMs: number, signal: AbortSignal): Promise<void>;
}

const defaultTimeoutMs = 30_000;
const journalRetryMaxMs = 1_000;
const signalPollMs = 1_000;

/** One operation under way: replays what the journal knows, and journals what it does. */
export class Run<I> implements Op<I> {
  readonly data: RunData;
  readonly input: I;
  /** The span that the steps' spans belong to. */
  span: Span | null = null;
  readonly #context: RunContext;
  readonly #journal = new Map<string, Step>();
  readonly #names = new Set<string>();
  readonly #own: Ownership;
  #stopping = new AbortController();
  #prefix = '';
  #position = 0;

  constructor(data: RunData, context: RunContext) {
    this.data = data;
    this.input = data.input as I;
    this.#context = context;
    this.#own = { operationId: data.id, owner: context.owner, fence: data.fence };
  }

  get id(): string {
    return this.data.id;
  }
  get resource(): string {
    return this.data.resource;
  }
  get actor(): string {
    return this.data.actor;
  }
  /** The replica that runs it. */
  get owner(): string {
    return this.#own.owner;
  }
  nowMs(): number {
    return this.#context.clock.nowMs();
  }

  /** Takes in what was journalled before this process owned the run. */
  replay(steps: readonly Step[]): void {
    for (const step of steps) this.#journal.set(step.name, step);
    this.#position = steps.length;
  }

  /** Writes the end; gives the operation that has the resource now. Throws when the run was lost. */
  async finish(conclusion: Conclusion): Promise<{ status: Conclusion['status']; next: RunData | null }> {
    const { status, output, error, commit } = conclusion;
    const params = { own: this.#own, status, output, error, commit, nowMs: this.#context.clock.nowMs() };
    const result = await this.#persist(finishOperation, params);
    if (result.isLost) {
      this.stop('lost');
      throw new StoppedError('lost');
    }
    this.#context.onWritten(this.data, commit !== null);
    return { status, next: result.next };
  }

  /** Why the run must stop, or `null`. */
  get stopReason(): StopReason | null {
    return this.#stopping.signal.aborted ? (this.#stopping.signal.reason as StoppedError).stopReason : null;
  }

  /** Aborts what is under way. The body settles; then its result is journalled, or nothing is. */
  stop(reason: StopReason): void {
    if (this.stopReason === 'lost') return;
    if (reason === 'cancelled' && (this.stopReason !== null || this.isCleaningUp)) return;
    if (this.stopReason !== null) this.#stopping = new AbortController();
    this.#stopping.abort(new StoppedError(reason));
  }

  /** From here on steps belong to the clean-up of a cancel, which a second cancel does not stop. */
  beginCleanup(): void {
    this.#prefix = 'cancel:';
    if (this.stopReason === 'cancelled') this.#stopping = new AbortController();
  }

  get isCleaningUp(): boolean {
    return this.#prefix !== '';
  }

  async step<T>(
    stepName: string,
    body: (attempt: Attempt) => T | Promise<T>,
    options: StepOptions<T> = {},
  ): Promise<T> {
    const name = this.#claimName(stepName);
    const known = this.#journal.get(name);
    if (known?.status === 'completed') return known.output as T;
    if (known?.status === 'failed') throw fromErrorData(known.error!);
    const startedAtMs = known?.startedAtMs ?? this.#context.clock.nowMs();
    const write = { own: this.#own, name, position: this.#position++, startedAtMs };
    if (known?.nextAttemptAtMs != null) await this.#waitUntil(known.nextAttemptAtMs);

    for (let attempts = known?.attempts ?? 0; ; attempts++) {
      this.#throwIfStopped();
      if (attempts > 0 && options.onRetry !== undefined) {
        const commit = options.onRetry(attempts + 1, this.#context.clock.nowMs());
        await this.#write(beginRetry, { own: this.#own, name, attempts, commit }, true);
      }
      const outcome = await this.#tryOnce(name, body, attempts + 1, options.timeoutMs ?? defaultTimeoutMs);
      const nowMs = this.#context.clock.nowMs();
      if (outcome.ok) {
        const commit = options.commit?.(outcome.value, nowMs) ?? null;
        const output = JSON.stringify(outcome.value ?? null);
        await this.#write(completeStep, { ...write, attempts: attempts + 1, nowMs, output, commit }, commit !== null);
        return outcome.value;
      }
      const failure = this.#judge(outcome.error, attempts + 1, nowMs - startedAtMs, nowMs, options);
      const commit = options.onFailedAttempt?.(failure) ?? null;
      const { error, nextAttemptAtMs } = failure;
      const failed = { ...write, attempts: attempts + 1, nowMs, error, nextAttemptAtMs, commit };
      await this.#write(failAttempt, failed, commit !== null);
      if (nextAttemptAtMs === null) throw fromErrorData(error);
      await this.#waitUntil(nextAttemptAtMs);
    }
  }

  async sleep(stepName: string, durationMs: number): Promise<void> {
    const name = this.#claimName(stepName);
    const known = this.#journal.get(name);
    if (known?.status === 'completed') return;
    const nowMs = this.#context.clock.nowMs();
    const untilMs = known?.nextAttemptAtMs ?? nowMs + durationMs;
    const position = this.#position++;
    if (known === undefined) await this.#write(beginSleep, { own: this.#own, name, position, untilMs, nowMs }, false);
    await this.#waitUntil(untilMs);
    await this.#complete(name, position, nowMs, null);
  }

  async waitFor<T>(stepName: string, timeoutMs: number): Promise<T | null> {
    const name = this.#claimName(stepName);
    const known = this.#journal.get(name);
    if (known?.status === 'completed') return known.output as T | null;
    const { clock, store } = this.#context;
    const nowMs = clock.nowMs();
    const untilMs = known?.nextAttemptAtMs ?? nowMs + timeoutMs;
    const position = this.#position++;
    if (known === undefined) await this.#write(beginSleep, { own: this.#own, name, position, untilMs, nowMs }, false);
    let payload: T | null = null;
    for (let leftMs = untilMs - nowMs; ; leftMs = untilMs - clock.nowMs()) {
      this.#throwIfStopped();
      const statement = 'select payload from operation_signals where operation_id = ? and name = ?';
      const [row] = await this.#insist(() =>
        store.read((reader) => reader.rows<{ payload: string }>(statement, [this.id, name])),
      );
      if (row !== undefined) payload = JSON.parse(row.payload) as T;
      if (row !== undefined || leftMs <= 0) break;
      await this.#context.signalled(this.id, Math.min(signalPollMs, leftMs), this.#stopping.signal);
    }
    await this.#complete(name, position, nowMs, payload);
    return payload;
  }

  async #complete(name: string, position: number, startedAtMs: number, output: unknown): Promise<void> {
    const nowMs = this.#context.clock.nowMs();
    const write = { own: this.#own, name, position, attempts: 1, startedAtMs, nowMs, commit: null };
    await this.#write(completeStep, { ...write, output: JSON.stringify(output) }, false);
  }

  async #tryOnce<T>(name: string, body: (attempt: Attempt) => T | Promise<T>, attempt: number, timeoutMs: number) {
    const { slots } = this.#context;
    const identity = { attempt, fence: this.data.fence, token: `${this.id}/${name}` };
    await slots.take();
    try {
      this.#throwIfStopped();
      const options = { ...identity, timeoutMs, stopping: this.#stopping.signal };
      const value = await this.#traced(name, attempt, () => runAttempt(body, options));
      this.#context.onAttempt(this.data, name, 'ok');
      return { ok: true as const, value };
    } catch (error) {
      // What failed because it was told to stop says nothing about the real system: the next owner looks again.
      this.#throwIfStopped();
      this.#context.onAttempt(this.data, name, 'failed');
      return { ok: false as const, error: toErrorData(error) };
    } finally {
      slots.release();
    }
  }

  #traced<T>(name: string, attempt: number, body: () => Promise<T>): Promise<T> {
    if (this.span?.isRecording() !== true) return body();
    const parent = trace.setSpan(ROOT_CONTEXT, this.span);
    return withSpan(this.#context.tracer, name, { 'holdfast.attempt': attempt }, parent, body);
  }

  #judge<T>(
    error: ErrorData,
    attempt: number,
    elapsedMs: number,
    nowMs: number,
    options: StepOptions<T>,
  ): FailedAttempt {
    const isRetryable = (options.isRetryable ?? mayPass)(error);
    const waitMs = isRetryable ? nextWaitMs(options.policy ?? defaultPolicy, attempt, elapsedMs, Math.random()) : null;
    return {
      attempt,
      error,
      isFinal: waitMs === null,
      nextAttemptAtMs: waitMs === null ? null : nowMs + waitMs,
      nowMs,
    };
  }

  async #write<P>(target: Transaction<P, JournalResult>, params: P, hasEvents: boolean): Promise<void> {
    const result = await this.#persist(target, params);
    if (result === 'lost') {
      this.stop('lost');
      throw new StoppedError('lost');
    }
    this.#context.onWritten(this.data, hasEvents);
  }

  /**
   * A failed journal write is the store's trouble, never the step's: it is repeated until it succeeds or the run is lost.
   * What the domain's own commit refuses is thrown.
   */
  #persist<P, R>(target: Transaction<P, R>, params: P): Promise<R> {
    return this.#insist(() => this.#context.store.write(target, params));
  }

  async #insist<R>(act: () => Promise<R>): Promise<R> {
    for (let attempt = 0; ; attempt++) {
      if (this.stopReason === 'lost') throw new StoppedError('lost');
      try {
        return await act();
      } catch (error) {
        if (!isStoreTrouble(error)) throw error;
        if (this.stopReason === 'shutdown') throw new StoppedError('shutdown');
        this.#context.onJournalError(this.data, error);
        await delay(Math.min(journalRetryMaxMs, 20 * 2 ** Math.min(attempt, 10)));
      }
    }
  }

  async #waitUntil(atMs: number): Promise<void> {
    await waitUntil(atMs, this.#stopping.signal, { now: () => this.#context.clock.nowMs() });
    this.#throwIfStopped();
  }

  #throwIfStopped(): void {
    if (this.#stopping.signal.aborted) throw this.#stopping.signal.reason as StoppedError;
  }

  #claimName(stepName: string): string {
    const name = this.#prefix + stepName;
    if (this.#names.has(name)) throw new Error(`operation ${this.data.kind} has two steps named ${name}`);
    this.#names.add(name);
    return name;
  }
}

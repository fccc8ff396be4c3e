import type { ErrorData } from '../errors/errors.ts';
import type { Call } from '../store/transaction.ts';

export const operationStatuses = ['pending', 'executing', 'completed', 'failed', 'cancelled'] as const;
export type OperationStatus = (typeof operationStatuses)[number];

export const stepStatuses = ['waiting', 'completed', 'failed'] as const;
export type StepStatus = (typeof stepStatuses)[number];

/** A durable change as it is told to users. */
export interface Operation {
  readonly id: string;
  /** Such as `volume.attach`. */
  readonly kind: string;
  readonly status: OperationStatus;
  /** What it changes, one at a time, such as `volume:vol-…`. */
  readonly resource: string;
  readonly input: unknown;
  readonly output: unknown;
  readonly error: ErrorData | null;
  readonly actor: string;
  readonly isCancelRequested: boolean;
  /** How often another process had to take it over after a crash. */
  readonly takeovers: number;
  /** Grows with each change of the operation itself; its steps count their own. */
  readonly version: number;
  readonly createdAtMs: number;
  readonly startedAtMs: number | null;
  readonly finishedAtMs: number | null;
}

/** A journalled part of an operation. */
export interface Step {
  readonly name: string;
  readonly status: StepStatus;
  /** Attempts that ended, well or badly. One that a crash cut off does not count. */
  readonly attempts: number;
  readonly output: unknown;
  readonly error: ErrorData | null;
  readonly nextAttemptAtMs: number | null;
  readonly startedAtMs: number;
  readonly finishedAtMs: number | null;
}

/** When to try again. Waits are milliseconds. */
export interface RetryPolicy {
  readonly attemptsMax: number;
  readonly initialWaitMs: number;
  readonly multiplier: number;
  readonly waitMaxMs: number;
  /** No further attempt begins later than this after the first one began. */
  readonly elapsedMaxMs?: number;
  /** Part of the wait that is random, 0..1, so that many retries do not come at once. */
  readonly jitter?: number;
}

/** What a failed attempt means for the domain; see {@link StepOptions.onFailedAttempt}. */
export interface FailedAttempt {
  readonly attempt: number;
  readonly error: ErrorData;
  /** No attempt follows. */
  readonly isFinal: boolean;
  readonly nextAttemptAtMs: number | null;
  readonly nowMs: number;
}

/** What the body of a step gets for one attempt. */
export interface Attempt {
  readonly attempt: number;
  /** Grows with each hand-over of the resource; goes into every command to a real system. */
  readonly fence: number;
  /** The same for each attempt of this step of this operation, for systems that know idempotency tokens. */
  readonly token: string;
  /** Aborts at the deadline, when the operation is cancelled, or when this process must stop. */
  readonly signal: AbortSignal;
}

export interface StepOptions<T> {
  readonly policy?: RetryPolicy;
  /** Deadline of one attempt. */
  readonly timeoutMs?: number;
  /** Whether an error is worth another attempt; by default what may pass by itself (`unavailable`, `backend`, `internal`). */
  readonly isRetryable?: (error: ErrorData) => boolean;
  /** Written in one transaction with the step's result. */
  readonly commit?: (output: T, nowMs: number) => Call;
  /** Written in one transaction with the failed attempt. */
  readonly onFailedAttempt?: (failure: FailedAttempt) => Call;
  /** Written before each attempt after the first. */
  readonly onRetry?: (attempt: number, nowMs: number) => Call;
}

/** The handle of a running operation. Steps are known by their names, which must be unique within it. */
export interface Op<I> {
  readonly id: string;
  readonly resource: string;
  readonly actor: string;
  readonly input: I;
  /** The engine's clock. */
  nowMs(): number;
  /** Runs `body` unless the journal already has its result. The result must be JSON. */
  step<T>(name: string, body: (attempt: Attempt) => T | Promise<T>, options?: StepOptions<T>): Promise<T>;
  /** Waits until a time that is fixed at the first call, also across restarts. */
  sleep(name: string, durationMs: number): Promise<void>;
  /** Waits for a signal sent to this operation, also one sent before; `null` when `timeoutMs` has passed. */
  waitFor<T>(name: string, timeoutMs: number): Promise<T | null>;
}

/** A kind of operation: what runs, and what the domain says when it does not end well. */
export interface OperationKind<I, O = unknown> {
  readonly name: string;
  /** May be called again from the start after a crash: everything that matters happens inside steps. */
  run(op: Op<I>): Promise<O>;
  /** The domain's state after a final failure, committed together with it. */
  onFailed?(op: OperationFacts<I>, error: ErrorData): Call;
  /**
   * Cleans up after a cancel, in steps of its own, and gives the state to commit with it. A kind without it cannot be
   * cancelled once it has begun.
   */
  cancel?(op: Op<I>): Promise<Call | null>;
  /** The state to commit when it is cancelled before it began. */
  onCancelledBeforeStart?(op: OperationFacts<I>): Call | null;
}

export interface OperationFacts<I> {
  readonly id: string;
  readonly resource: string;
  readonly actor: string;
  readonly input: I;
  readonly nowMs: number;
}

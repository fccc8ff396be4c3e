import { HoldfastError, type ErrorData, toErrorData } from '../errors/errors.ts';
import type { Clock } from '../ids.ts';
import type { Call } from '../store/transaction.ts';
import type { OperationFacts, OperationKind } from './operation.ts';
import type { Run } from './run.ts';

/** How a run ends: what is written with its last commit. */
export interface Conclusion {
  readonly status: 'completed' | 'failed' | 'cancelled';
  /** JSON. */
  readonly output: string | null;
  readonly error: ErrorData | null;
  readonly commit: Call | null;
}

/**
 * A run that takes its process down with it would do so for ever; after this many takeovers it fails instead.
 */
const takeoversMax = 20;

/** Runs the handler to its end. `null` when the run stopped and another owner will go on. */
export async function conclude<I>(
  run: Run<I>,
  kind: OperationKind<I>,
  clock: Clock,
  onError: (error: unknown) => void,
): Promise<Conclusion | null> {
  try {
    if (run.data.takeovers > takeoversMax) {
      throw new HoldfastError(
        'internal',
        `The operation was cut off ${run.data.takeovers} times and is not tried again.`,
      );
    }
    if (run.data.isCancelRequested && kind.cancel !== undefined) return await cleanUp(run, kind);
    const output: unknown = (await kind.run(run)) ?? null;
    // Made to text in here, so that one that is not JSON fails the operation instead of keeping it from ending.
    const text = output === null ? null : (JSON.stringify(output) ?? null);
    return { status: 'completed', output: text, error: null, commit: null };
  } catch (error) {
    if (run.stopReason === 'lost' || run.stopReason === 'shutdown') return null;
    if (run.stopReason !== 'cancelled') return failed(run, kind, clock, error, onError);
  }
  try {
    return await cleanUp(run, kind);
  } catch (error) {
    if (run.stopReason !== null) return null;
    return failed(run, kind, clock, error, onError);
  }
}

async function cleanUp<I>(run: Run<I>, kind: OperationKind<I>): Promise<Conclusion> {
  run.beginCleanup();
  const commit = (await kind.cancel?.(run)) ?? null;
  return { status: 'cancelled', output: null, error: null, commit };
}

function failed<I>(
  run: Run<I>,
  kind: OperationKind<I>,
  clock: Clock,
  error: unknown,
  onError: (error: unknown) => void,
): Conclusion {
  const data = toErrorData(error);
  if (data.kind === 'internal') onError(error);
  const { id, resource, actor, input } = run;
  const facts: OperationFacts<I> = { id, resource, actor, input, nowMs: clock.nowMs() };
  return { status: 'failed', output: null, error: data, commit: kind.onFailed?.(facts, data) ?? null };
}

import type { ErrorData } from '../../kernel/errors/errors.ts';
import type { Op, OperationFacts, RetryPolicy, StepOptions } from '../../kernel/operations/operation.ts';
import { type Call, call } from '../../kernel/store/transaction.ts';
import type { VolumeBackend } from '../backends/backend.ts';
import { type ExportChange, changeExport } from '../export-changes.ts';
import type { ExportRunner } from '../exports/runner.ts';
import type { Hosts } from '../hosts.ts';
import { type Cause, type TransitionParams, transitionVolume } from '../transition.ts';

/** What the operations of volumes use of the world. */
export interface VolumeOperationContext {
  /** The backend of that name. Throws `unsupported` with what to do when this server has none. */
  backend(name: string): VolumeBackend;
  readonly exports: ExportRunner;
  readonly hosts: Hosts;
  readonly policy: RetryPolicy;
  /** Deadline of one call to a backend. */
  readonly timeoutMs: number;
}

interface OnVolume {
  readonly volumeId: string;
}

/** Whose doing the changes of an operation are. */
export function causeOf(op: { readonly id: string; readonly actor: string }, nowMs: number): Cause {
  return { operationId: op.id, actor: op.actor, nowMs };
}

/** A volume's transition as the commit of a step or of an operation's end. */
export function moved(
  op: { readonly id: string; readonly actor: string; readonly input: OnVolume },
  nowMs: number,
  params: Omit<TransitionParams, 'volumeId' | 'cause'>,
): Call {
  return call(transitionVolume, { volumeId: op.input.volumeId, cause: causeOf(op, nowMs), ...params });
}

/** The change of an export as the commit of a step or of an operation's end. */
export function exported(
  op: { readonly id: string; readonly actor: string; readonly input: OnVolume },
  nowMs: number,
  params: Omit<ExportChange, 'volumeId' | 'cause'>,
): Call {
  return call(changeExport, { volumeId: op.input.volumeId, cause: causeOf(op, nowMs), ...params });
}

/** A volume's transition together with the change of its export, where it has one. */
export function movedWith(
  op: { readonly id: string; readonly actor: string; readonly input: OnVolume },
  nowMs: number,
  exportId: string | null,
  change: Pick<ExportChange, 'state' | 'connection' | 'clients'>,
  transition: Omit<TransitionParams, 'volumeId' | 'cause'>,
): Call {
  if (exportId === null) return moved(op, nowMs, transition);
  return exported(op, nowMs, { exportId, ...change, reason: transition.reason ?? null, transition });
}

/** How a step is tried; what it commits is its own. */
export type Trying = Omit<StepOptions<unknown>, 'commit'>;

/**
 * How a step that carries a volume through a transitional state is tried: each failed attempt is seen as `…_failed` with
 * its reason and the time of the next one, each further attempt as the transitional state again.
 */
export function lifecycleStep(op: Op<OnVolume>, context: VolumeOperationContext): Trying {
  return {
    ...plainStep(context),
    onFailedAttempt: ({ attempt, error, nextAttemptAtMs, nowMs }) =>
      moved(op, nowMs, { transition: 'fail', reason: error.message, attempt, nextRetryAtMs: nextAttemptAtMs }),
    onRetry: (attempt, nowMs) => moved(op, nowMs, { transition: 'retry', attempt }),
  };
}

/** How a step that leaves the volume's state alone is tried. */
export function plainStep({ policy, timeoutMs }: VolumeOperationContext): Trying {
  return { policy, timeoutMs, isRetryable: isWorthRetrying };
}

/** The end of a lifecycle operation that did not succeed: `error`, with the reason on the volume. */
export function exhausted(facts: OperationFacts<OnVolume>, error: ErrorData): Call {
  return moved(facts, facts.nowMs, { transition: 'exhaust', reason: error.message });
}

/** Somebody still uses it, and nothing was changed. */
export function isInUse(error: ErrorData): boolean {
  return error.kind === 'conflict' && error.details?.['reason'] === 'in_use';
}

/** The host that it was for is dead, so nothing was sent to it. */
export function isHostDead(error: ErrorData): boolean {
  return error.kind === 'unavailable' && error.details?.['host_state'] === 'dead';
}

/** A client that still has the image open may close it; other conflicts and refusals stay what they are. */
function isWorthRetrying(error: ErrorData): boolean {
  if (error.kind === 'conflict') return isInUse(error) || Array.isArray(error.details?.['watchers']);
  if (isHostDead(error)) return false;
  return error.kind === 'unavailable' || error.kind === 'backend' || error.kind === 'internal';
}

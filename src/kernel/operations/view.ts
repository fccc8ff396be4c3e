import type { Static } from 'typebox';
import type { ErrorData } from '../errors/errors.ts';
import { type ErrorBody, renderErrorData } from '../http/errors.ts';
import type { acceptedSchema, operationSchema, stepSchema } from './contract.ts';
import type { Operation, Step } from './operation.ts';
import type { Accepted } from './start.ts';

/** A time as the API writes it. */
export function isoTime(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

export function isoTimeOrNull(timeMs: number | null): string | null {
  return timeMs === null ? null : isoTime(timeMs);
}

/** An error that is kept with something, as the API writes errors. */
export function errorView(error: ErrorData | null): ErrorBody | null {
  return error === null ? null : renderErrorData(error).body;
}

/** An operation for users; with its steps where they are given. */
export function operationView(operation: Operation, steps?: readonly Step[]): Static<typeof operationSchema> {
  return {
    id: operation.id,
    type: operation.kind,
    status: operation.status,
    resource: operation.resource,
    volume_id: volumeIdOf(operation.resource),
    input: operation.input,
    output: operation.output,
    error: errorView(operation.error) as Static<typeof operationSchema>['error'],
    actor: operation.actor,
    cancel_requested: operation.isCancelRequested,
    takeovers: operation.takeovers,
    version: operation.version,
    created_at: isoTime(operation.createdAtMs),
    started_at: isoTimeOrNull(operation.startedAtMs),
    finished_at: isoTimeOrNull(operation.finishedAtMs),
    ...(steps === undefined ? {} : { steps: steps.map(stepView) }),
  };
}

/** The answer to an accepted request: of facts that never change, so that a replay is the same to the letter. */
export function acceptedView(accepted: Accepted): Static<typeof acceptedSchema> {
  const { id, kind, resource, createdAtMs } = accepted;
  return {
    operation_id: id,
    id,
    type: kind,
    status: 'pending',
    resource,
    volume_id: volumeIdOf(resource),
    created_at: isoTime(createdAtMs),
  };
}

function stepView(step: Step): Static<typeof stepSchema> {
  return {
    name: step.name,
    status: step.status,
    attempts: step.attempts,
    output: step.output,
    error: errorView(step.error) as Static<typeof stepSchema>['error'],
    next_attempt_at: isoTimeOrNull(step.nextAttemptAtMs),
    started_at: isoTime(step.startedAtMs),
    finished_at: isoTimeOrNull(step.finishedAtMs),
  };
}

/** Resources are `kind:id`; this one is told by its own name, since that is what its users filter by. */
function volumeIdOf(resource: string): string | null {
  return resource.startsWith('volume:') ? resource.slice('volume:'.length) : null;
}

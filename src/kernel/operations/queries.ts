import type { Selectable } from 'kysely';
import type { ErrorData } from '../errors/errors.ts';
import type { Reader } from '../store/store.ts';
import type { OperationTable, StepTable } from '../store/tables.ts';
import type { Operation, OperationStatus, Step, StepStatus } from './operation.ts';

/** One operation, or `null`. */
export async function getOperation(reader: Reader, id: string): Promise<Operation | null> {
  const row = await reader.db.selectFrom('operations').selectAll().where('id', '=', id).executeTakeFirst();
  return row === undefined ? null : toOperation(row);
}

/** The journal of one operation, in the order in which its steps began. */
export async function getSteps(reader: Reader, operationId: string): Promise<Step[]> {
  const rows = await reader.db
    .selectFrom('operation_steps')
    .selectAll()
    .where('operation_id', '=', operationId)
    .orderBy('position')
    .execute();
  return rows.map(toStep);
}

export interface OperationFilter {
  readonly kind?: string | undefined;
  readonly status?: OperationStatus | undefined;
  readonly resource?: string | undefined;
  /** Only operations with a lower id: newest first, so a page goes back in time. */
  readonly beforeId?: string | undefined;
  readonly limit: number;
}

/** Operations, newest first. */
export async function listOperations(reader: Reader, filter: OperationFilter): Promise<Operation[]> {
  let query = reader.db.selectFrom('operations').selectAll().orderBy('id', 'desc').limit(filter.limit);
  if (filter.kind !== undefined) query = query.where('kind', '=', filter.kind);
  if (filter.status !== undefined) query = query.where('status', '=', filter.status);
  if (filter.resource !== undefined) query = query.where('resource', '=', filter.resource);
  if (filter.beforeId !== undefined) query = query.where('id', '<', filter.beforeId);
  return (await query.execute()).map(toOperation);
}

function toOperation(row: Selectable<OperationTable>): Operation {
  return {
    id: row.id,
    kind: row.kind,
    status: row.status as OperationStatus,
    resource: row.resource,
    input: JSON.parse(row.input) as unknown,
    output: parse(row.output),
    error: parse(row.error) as ErrorData | null,
    actor: row.actor,
    isCancelRequested: row.cancel_requested === 1,
    takeovers: row.takeovers,
    version: row.version,
    createdAtMs: row.created_at,
    startedAtMs: row.started_at,
    finishedAtMs: row.finished_at,
  };
}

function toStep(row: Selectable<StepTable>): Step {
  return {
    name: row.name,
    status: row.status as StepStatus,
    attempts: row.attempts,
    output: parse(row.output),
    error: parse(row.error) as ErrorData | null,
    nextAttemptAtMs: row.next_attempt_at,
    startedAtMs: row.started_at,
    finishedAtMs: row.finished_at,
  };
}

function parse(text: string | null): unknown {
  return text === null ? null : JSON.parse(text);
}

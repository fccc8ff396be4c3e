import type { Generated } from 'kysely';

/** The kernel's tables. Times are integer milliseconds, documents JSON text, booleans 0 and 1. */
export interface KernelTables {
  operations: OperationTable;
  operation_steps: StepTable;
  operation_signals: SignalTable;
  resource_locks: ResourceLockTable;
  replicas: ReplicaTable;
  events: EventTable;
  keepers: KeeperTable;
  tokens: TokenTable;
}

export interface OperationTable {
  id: string;
  kind: string;
  status: string;
  resource: string;
  /** Position in the resource's queue, in order of acceptance. */
  ticket: number;
  input: string;
  output: string | null;
  error: string | null;
  idempotency_key: string | null;
  request_hash: string | null;
  actor: string;
  traceparent: string | null;
  owner: string | null;
  fence: number;
  takeovers: number;
  cancel_requested: number;
  /** Grows with each change, for watchers. */
  version: number;
  created_at: number;
  started_at: number | null;
  finished_at: number | null;
}

export interface StepTable {
  operation_id: string;
  name: string;
  position: number;
  status: string;
  attempts: number;
  output: string | null;
  error: string | null;
  next_attempt_at: number | null;
  started_at: number;
  finished_at: number | null;
}

export interface SignalTable {
  operation_id: string;
  name: string;
  payload: string;
  created_at: number;
}

export interface ResourceLockTable {
  resource: string;
  operation_id: string | null;
  fence: number;
  waiting: number;
  tickets: number;
}

export interface ReplicaTable {
  id: string;
  until: number;
  started_at: number;
  detail: string;
}

export interface EventTable {
  id: Generated<number>;
  resource: string;
  /** Gapless per resource, from 1. */
  seq: number;
  type: string;
  data: string;
  operation_id: string | null;
  actor: string;
  created_at: number;
}

export interface KeeperTable {
  name: string;
  owner: string | null;
  until: number;
  runs: number;
  last_started_at: number | null;
  last_finished_at: number | null;
  last_success_at: number | null;
  last_result: string | null;
  last_error: string | null;
  /** JSON, of the run under way. */
  progress: string | null;
  mark: string | null;
  paused_at: number | null;
  paused_by: string | null;
}

export interface TokenTable {
  id: string;
  name: string;
  role: string;
  hash: string;
  created_at: number;
  revoked_at: number | null;
}

import { HoldfastError } from '../errors/errors.ts';
import type { Tx } from '../store/store.ts';

/** Who asks for an operation, and how often the same wish may come. */
export interface OperationRequest {
  /** Chosen by the caller, so that a start whose answer was lost can be recognised. */
  readonly operationId: string;
  /** The replica that will run it. */
  readonly owner: string;
  readonly actor: string;
  readonly nowMs: number;
  /** `key` is unique per actor; `requestHash` tells the same wish from another one under the same key. */
  readonly idempotency: { readonly key: string; readonly requestHash: string } | null;
  readonly traceparent: string | null;
}

/** What a replica needs to run an operation. */
export interface RunData {
  readonly id: string;
  readonly kind: string;
  readonly resource: string;
  readonly input: unknown;
  readonly fence: number;
  readonly actor: string;
  readonly takeovers: number;
  readonly isCancelRequested: boolean;
  readonly createdAtMs: number;
  readonly traceparent: string | null;
}

export interface Accepted {
  readonly id: string;
  readonly kind: string;
  readonly resource: string;
  readonly input: unknown;
  readonly actor: string;
  readonly createdAtMs: number;
  /** Whether this is the first answer again, for a request that was accepted before. */
  readonly isReplay: boolean;
  /** The run to begin now; `null` while it waits for its turn on the resource. */
  readonly run: RunData | null;
}

/** How many operations may wait for one resource. */
export const waitingPerResourceMax = 100_000;

interface KnownRow {
  id: string;
  kind: string;
  resource: string;
  input: string;
  actor: string;
  request_hash: string | null;
  created_at: number;
  owner: string | null;
  status: string;
  fence: number;
  traceparent: string | null;
}

const knownColumns = 'id, kind, resource, input, actor, request_hash, created_at, owner, status, fence, traceparent';
const byId = `select ${knownColumns} from operations where id = ?`;
const byKey = `select ${knownColumns} from operations where idempotency_key = ?`;

/**
 * The operation that this request has already started, if any: by its id (the commit succeeded, the answer was lost) or
 * by its idempotency key. Call it first in an accepting transaction.
 *
 * Throws `conflict` when the key was used for another request.
 */
export async function findReplay(tx: Tx, request: OperationRequest): Promise<Accepted | null> {
  const { idempotency } = request;
  if (idempotency !== null) {
    await tx.lock(`idempotency:${idempotency.key}`);
    const [known] = await tx.rows<KnownRow>(byKey, [idempotency.key]);
    if (known !== undefined) {
      if (known.request_hash === idempotency.requestHash) return replay(known, request);
      throw new HoldfastError('conflict', 'This Idempotency-Key was used before with another request.', {
        field: 'Idempotency-Key',
        operation_id: known.id,
      });
    }
    return null;
  }
  const [known] = await tx.rows<KnownRow>(byId, [request.operationId]);
  return known === undefined ? null : replay(known, request);
}

function replay(row: KnownRow, request: OperationRequest): Accepted {
  const { id, kind, resource, actor, fence, traceparent } = row;
  const input: unknown = JSON.parse(row.input);
  const createdAtMs = row.created_at;
  // The same id means our own lost answer: nobody else knows that this run has to begin.
  const isOurs = id === request.operationId && row.owner === request.owner && row.status === 'executing';
  const run = {
    id,
    kind,
    resource,
    input,
    fence,
    actor,
    takeovers: 0,
    isCancelRequested: false,
    createdAtMs,
    traceparent,
  };
  return { id, kind, resource, input, actor, createdAtMs, isReplay: true, run: isOurs ? run : null };
}

const takeTurn = `insert into resource_locks (resource, operation_id, fence, waiting, tickets) values (?, ?, 1, 0, 1)
  on conflict (resource) do update set
    waiting = resource_locks.waiting + case when resource_locks.operation_id is null then 0 else 1 end,
    fence = resource_locks.fence + case when resource_locks.operation_id is null then 1 else 0 end,
    operation_id = coalesce(resource_locks.operation_id, excluded.operation_id),
    tickets = resource_locks.tickets + 1
  returning operation_id, fence, waiting, tickets`;

const insert = `insert into operations (id, kind, status, resource, ticket, input, idempotency_key, request_hash, actor,
    traceparent, owner, fence, takeovers, cancel_requested, version, created_at, started_at)
  values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 1, ?, ?)`;

/**
 * Accepts an operation in the transaction that writes the resource's new state. It begins at once when the resource is
 * free, else after those accepted before it.
 */
export async function startOperation(
  tx: Tx,
  request: OperationRequest,
  wish: { readonly kind: string; readonly resource: string; readonly input: unknown },
): Promise<Accepted> {
  const { operationId: id, owner, actor, nowMs, idempotency, traceparent } = request;
  const { kind, resource, input } = wish;
  const [turn] = await tx.rows<{ operation_id: string; fence: number; waiting: number; tickets: number }>(takeTurn, [
    resource,
    id,
  ]);
  const { operation_id: holder, fence, waiting, tickets } = turn!;
  if (waiting > waitingPerResourceMax) {
    throw new HoldfastError('overloaded', `Too many operations wait for ${resource}.`, { waiting });
  }
  const isFirst = holder === id;
  await tx.run(insert, [
    id,
    kind,
    isFirst ? 'executing' : 'pending',
    resource,
    tickets,
    JSON.stringify(input),
    idempotency?.key ?? null,
    idempotency?.requestHash ?? null,
    actor,
    traceparent,
    isFirst ? owner : null,
    isFirst ? fence : 0,
    nowMs,
    isFirst ? nowMs : null,
  ]);
  const facts = { id, kind, resource, input, actor, createdAtMs: nowMs };
  const run = { ...facts, fence, takeovers: 0, isCancelRequested: false, traceparent };
  return { ...facts, isReplay: false, run: isFirst ? run : null };
}

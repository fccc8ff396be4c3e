import type { Tx } from '../store/store.ts';

/** An immutable fact of one resource. */
export interface Event {
  /** Grows over all resources, with gaps. */
  readonly id: number;
  /** Such as `volume:vol-…`. */
  readonly resource: string;
  /** Gapless per resource, from 1. */
  readonly seq: number;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly operationId: string | null;
  readonly actor: string;
  readonly createdAtMs: number;
}

export interface NewEvent {
  readonly resource: string;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly operationId: string | null;
  readonly actor: string;
  readonly createdAtMs: number;
}

const append = `insert into events (resource, seq, type, data, operation_id, actor, created_at)
  select ?, coalesce(max(seq), 0) + 1, ?, ?, ?, ?, ? from events where resource = ?`;

/**
 * Writes an event in the transaction of the change it tells of. The caller must hold the row of that resource (by having
 * changed it in this transaction): that is what makes the order gapless.
 */
export async function appendEvent(tx: Tx, event: NewEvent): Promise<void> {
  const { resource, type, data, operationId, actor, createdAtMs } = event;
  await tx.run(append, [resource, type, JSON.stringify(data), operationId, actor, createdAtMs, resource]);
}

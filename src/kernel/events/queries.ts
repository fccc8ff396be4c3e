import type { Reader } from '../store/store.ts';
import type { EventTable } from '../store/tables.ts';
import type { Event } from './event.ts';

type EventRow = { [K in keyof EventTable]: K extends 'id' ? number : EventTable[K] };

const columns = 'id, resource, seq, type, data, operation_id, actor, created_at';

/** Events of one resource after `seq`, in order, at most `limit`. */
export async function eventsOf(reader: Reader, resource: string, afterSeq: number, limit: number): Promise<Event[]> {
  const statement = `select ${columns} from events where resource = ? and seq > ? order by seq limit ?`;
  return (await reader.rows<EventRow>(statement, [resource, afterSeq, limit])).map(toEvent);
}

/** Events after `id` over all resources, in order of id, at most `limit`. Rows of open transactions are not among them. */
export async function eventsAfter(reader: Reader, id: number, limit: number): Promise<Event[]> {
  const statement = `select ${columns} from events where id > ? order by id limit ?`;
  return (await reader.rows<EventRow>(statement, [id, limit])).map(toEvent);
}

/** The highest id there is now; 0 when there is none. */
export async function lastEventId(reader: Reader): Promise<number> {
  const [row] = await reader.rows<{ id: number | null }>('select max(id) as id from events', []);
  return row?.id ?? 0;
}

export interface EventFilter {
  readonly resource?: string | undefined;
  readonly type?: string | undefined;
  readonly operationId?: string | undefined;
  readonly actor?: string | undefined;
  /** Only events with a lower id: newest first, so a page goes back in time. */
  readonly beforeId?: number | undefined;
  readonly limit: number;
}

/** The audit trail, newest first. */
export async function listEvents(reader: Reader, filter: EventFilter): Promise<Event[]> {
  let query = reader.db.selectFrom('events').selectAll().orderBy('id', 'desc').limit(filter.limit);
  if (filter.resource !== undefined) query = query.where('resource', '=', filter.resource);
  if (filter.type !== undefined) query = query.where('type', '=', filter.type);
  if (filter.operationId !== undefined) query = query.where('operation_id', '=', filter.operationId);
  if (filter.actor !== undefined) query = query.where('actor', '=', filter.actor);
  if (filter.beforeId !== undefined) query = query.where('id', '<', filter.beforeId);
  return (await query.execute()).map(toEvent);
}

function toEvent(row: EventRow): Event {
  return {
    id: row.id,
    resource: row.resource,
    seq: row.seq,
    type: row.type,
    data: JSON.parse(row.data) as Event['data'],
    operationId: row.operation_id,
    actor: row.actor,
    createdAtMs: row.created_at,
  };
}

import type { Static } from 'typebox';
import { decodeCursor, page } from '../http/cursor.ts';
import type { QueryOf } from '../http/contract.ts';
import { type Route, route } from '../http/server.ts';
import { type SseStream, type SseStreams, lastEventId } from '../http/sse.ts';
import type { Store } from '../store/store.ts';
import { eventContract, type eventSchema } from './contract.ts';
import type { Event } from './event.ts';
import type { EventFollower } from './follower.ts';
import { eventsAfter, lastEventId as newestEventId, listEvents } from './queries.ts';

const replayPageSize = 500;

type Query = QueryOf<typeof eventContract.listEvents>;

/** An event as the API writes it. */
export function eventView(event: Event): Static<typeof eventSchema> {
  const { id, resource, seq, type, data, operationId, actor, createdAtMs } = event;
  return {
    id,
    resource,
    seq,
    type,
    data,
    operation_id: operationId,
    actor,
    timestamp: new Date(createdAtMs).toISOString(),
  };
}

/** The audit trail, as pages and as one stream. */
export function eventRoutes(store: Store, follower: EventFollower, streams: SseStreams): Route[] {
  return [
    route(eventContract.listEvents, async ({ query, raw, reply }) => {
      if (query.stream === true || raw.headers.accept?.includes('text/event-stream') === true) {
        const since = lastEventId(raw.headers['last-event-id'], query.last_event_id);
        await stream(query, since, (onClose) => streams.open(reply, onClose));
        return undefined as never;
      }
      const limit = query.limit ?? 100;
      const before = decodeCursor(query.cursor);
      const filter = {
        ...criteria(query),
        beforeId: before === undefined ? undefined : Number(before),
        limit: limit + 1,
      };
      const rows = await store.read((reader) => listEvents(reader, filter));
      return page(rows, limit, ({ id }) => String(id), eventView);
    }),
  ];

  /** The listener is there before the past is read, and the past is read only up to where the listener begins. */
  async function stream(query: Query, since: number | null, open: (onClose: () => void) => SseStream): Promise<void> {
    const held: Event[] = [];
    let isLive = false;
    let sse: SseStream | null = null;
    const { end, fromId } = await follower.listen(null, (event) => (isLive ? tell(event) : void held.push(event)));
    // Without a starting point the stream begins now: what the follower repeats from before is not news.
    let sentId = since ?? (await store.read(newestEventId));
    function tell(event: Event): void {
      if (event.id <= sentId) return;
      sentId = event.id;
      if (matches(event, query)) sse?.send({ id: String(event.id), data: eventView(event) });
    }
    sse = open(end);
    while (sentId < fromId && !sse.isOver) {
      const events = (await past(sentId)).filter(({ id }) => id <= fromId);
      if (events.length === 0) break;
      events.forEach(tell);
    }
    isLive = true;
    held.forEach(tell);
  }

  function past(id: number): Promise<Event[]> {
    return store.read((reader) => eventsAfter(reader, id, replayPageSize));
  }
}

function criteria(query: Query) {
  const resource = query.resource ?? (query.volume_id === undefined ? undefined : `volume:${query.volume_id}`);
  return { resource, type: query.type, operationId: query.operation_id, actor: query.actor };
}

function matches(event: Event, query: Query): boolean {
  const { resource, type, operationId, actor } = criteria(query);
  return (
    (resource === undefined || event.resource === resource) &&
    (type === undefined || event.type === type) &&
    (operationId === undefined || event.operationId === operationId) &&
    (actor === undefined || event.actor === actor)
  );
}

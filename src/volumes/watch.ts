import { HoldfastError } from '../kernel/errors/errors.ts';
import type { Event } from '../kernel/events/event.ts';
import type { EventFollower } from '../kernel/events/follower.ts';
import { eventsOf } from '../kernel/events/queries.ts';
import type { SseStream } from '../kernel/http/sse.ts';
import type { Store } from '../kernel/store/store.ts';
import { isSettled } from './fsm.ts';
import { findVolumeDetail } from './queries.ts';
import { volumeEventView, volumeView } from './view.ts';
import { volumeResource } from './volume.ts';

const replayPageSize = 500;

export interface WatchOptions {
  readonly volume: string;
  /** Go on after the volume has settled. */
  readonly isFollowing: boolean;
  /** Events after this one are told again, in place of the current state. */
  readonly sinceSeq: number | null;
}

/**
 * Tells a volume's events: its state now, then each transition, numbered without gaps, none twice. Ends with `done` when
 * the volume has settled, unless the reader follows on. Throws `not_found` before the stream begins.
 */
export async function watchVolume(
  store: Store,
  follower: EventFollower,
  options: WatchOptions,
  open: (onClose: () => void) => SseStream,
): Promise<void> {
  const found = await store.read((reader) => findVolumeDetail(reader, options.volume));
  if (found === null) throw new HoldfastError('not_found', `There is no volume ${options.volume.slice(0, 200)}.`);
  const volumeId = found.volume.id;
  const resource = volumeResource(volumeId);
  const held: Event[] = [];
  let sse: SseStream | null = null;
  let sentSeq = options.sinceSeq ?? 0;
  let isLive = false;
  const tell = (event: Event) => {
    if (event.seq <= sentSeq || sse === null || sse.isOver) return;
    sentSeq = event.seq;
    const data = volumeEventView(event);
    sse.send({ id: String(event.seq), event: 'transition', data });
    if (!options.isFollowing && isSettled(data.state)) finish(sse, data);
  };
  const { end } = await follower.listen(resource, (event) => (isLive ? tell(event) : void held.push(event)));
  try {
    if (options.sinceSeq === null) sentSeq = await lastSeq(store, resource);
    const detail = (await store.read((reader) => findVolumeDetail(reader, volumeId)))!;
    sse = open(end);
    if (options.sinceSeq === null) {
      const view = volumeView(detail);
      const { name, state, reason } = view;
      const data = {
        volume_id: volumeId,
        name,
        state,
        from: null,
        event: 'current',
        reason,
        timestamp: view.updated_at,
      };
      sse.send({
        id: String(sentSeq),
        event: 'state',
        data: { ...data, operation_id: null, actor: 'server', details: { node_id: view.node_id } },
      });
    }
    for (let events = await past(); events.length > 0 && !sse.isOver; events = await past()) events.forEach(tell);
    isLive = true;
    held.forEach(tell);
    if (!options.isFollowing && !sse.isOver && isSettled(detail.volume.state))
      finish(sse, { volume_id: volumeId, state: detail.volume.state });
  } catch (error) {
    end();
    throw error;
  }
  function past(): Promise<Event[]> {
    return store.read((reader) => eventsOf(reader, resource, sentSeq, replayPageSize));
  }
}

function finish(sse: SseStream, data: unknown): void {
  sse.send({ event: 'done', data });
  sse.end();
}

async function lastSeq(store: Store, resource: string): Promise<number> {
  const [row] = await store.read((reader) =>
    reader.rows<{ seq: number | null }>('select max(seq) as seq from events where resource = ?', [resource]),
  );
  return row?.seq ?? 0;
}

import type { Static } from 'typebox';
import { HoldfastError } from '../kernel/errors/errors.ts';
import type { Event } from '../kernel/events/event.ts';
import type { EventFollower } from '../kernel/events/follower.ts';
import { eventsOf } from '../kernel/events/queries.ts';
import type { SseStream } from '../kernel/http/sse.ts';
import type { Store } from '../kernel/store/store.ts';
import { isSettled } from './fsm.ts';
import type { volumeEventSchema } from './contract.ts';
import { type VolumeDetail, findVolumeDetail } from './queries.ts';
import { volumeEventView, volumeView } from './view.ts';
import { volumeResource } from './volume.ts';

const replayPageSize = 500;
const agreementAttemptsMax = 5;

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
  let state = found.volume.state;
  const tell = (event: Event) => {
    if (event.seq <= sentSeq || sse === null || sse.isOver) return;
    sentSeq = event.seq;
    const data = volumeEventView(event);
    state = data.state;
    sse.send({ id: String(event.seq), data });
    // What is told of the past may have settled many times since.
    if (isLive) finishIfSettled();
  };
  const finishIfSettled = () => {
    if (options.isFollowing || sse === null || sse.isOver || !isSettled(state)) return;
    sse.send({ event: 'done', data: { volume_id: volumeId, state } });
    sse.end();
  };
  const { end } = await follower.listen(resource, (event) => (isLive ? tell(event) : void held.push(event)));
  try {
    const now = options.sinceSeq === null ? await current(store, volumeId) : null;
    sse = open(end);
    if (now !== null) {
      sentSeq = now.seq;
      state = now.detail.volume.state;
      sse.send({ id: String(now.seq), data: currentView(now.detail) });
    }
    for (let events = await past(); events.length > 0 && !sse.isOver; events = await past()) events.forEach(tell);
    isLive = true;
    held.forEach(tell);
    finishIfSettled();
  } catch (error) {
    end();
    throw error;
  }
  function past(): Promise<Event[]> {
    return store.read((reader) => eventsOf(reader, resource, sentSeq, replayPageSize));
  }
}

/** The volume with the number of its newest event. Read again when an event came in between, so that they agree. */
async function current(store: Store, volumeId: string): Promise<{ seq: number; detail: VolumeDetail }> {
  for (let attempt = 1; ; attempt++) {
    const before = await lastSeq(store, volumeId);
    const detail = (await store.read((reader) => findVolumeDetail(reader, volumeId)))!;
    if (attempt === agreementAttemptsMax || (await lastSeq(store, volumeId)) === before) return { seq: before, detail };
  }
}

function currentView(detail: VolumeDetail): Static<typeof volumeEventSchema> {
  const { id: volume_id, name, state, reason, updated_at: timestamp, node_id } = volumeView(detail);
  const nobody = { operation_id: null, actor: 'server' };
  return { volume_id, name, state, from: null, event: 'current', reason, timestamp, ...nobody, details: { node_id } };
}

async function lastSeq(store: Store, volumeId: string): Promise<number> {
  const statement = 'select max(seq) as seq from events where resource = ?';
  const [row] = await store.read((reader) =>
    reader.rows<{ seq: number | null }>(statement, [volumeResource(volumeId)]),
  );
  return row?.seq ?? 0;
}

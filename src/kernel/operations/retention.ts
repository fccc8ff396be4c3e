import type { Clock } from '../ids.ts';
import { type Keeper, type KeeperPlan, planStepsMax } from '../keepers/keeper.ts';
import type { Store } from '../store/store.ts';
import { transaction } from '../store/transaction.ts';

const batchSize = 500;
const batchesMax = 200;

interface Batch {
  readonly beforeMs: number;
  readonly limit: number;
}

const oldOperations = `select id from operations where finished_at is not null and finished_at < ?
  order by finished_at limit ?`;
const oldEvents = `select e.id from events e where e.created_at < ? and e.id <= ?
  and exists (select 1 from events later where later.resource = e.resource and later.seq > e.seq)
  order by e.created_at limit ?`;

/** Removes finished operations with their journals, oldest first. */
export const pruneOperations = transaction(import.meta.url, 'pruneOperations', (tx, { beforeMs, limit }: Batch) =>
  tx.run(`delete from operations where id in (${oldOperations})`, [beforeMs, limit]),
);

/**
 * Removes old events, but never a resource's newest one, since the next number follows from it, and none that somebody who
 * reads the outbox has not passed.
 */
export const pruneEvents = transaction(
  import.meta.url,
  'pruneEvents',
  (tx, { beforeMs, limit, passedId }: Batch & { readonly passedId: number }) =>
    tx.run(`delete from events where id in (${oldEvents})`, [beforeMs, passedId, limit]),
);

export interface RetentionSettings {
  readonly operationsMs: number;
  readonly eventsMs: number;
  /** The id of the last event that nobody who reads the outbox needs any more. */
  passedEventId(): Promise<number>;
}

/** Keeps history bounded. */
export function retentionKeeper(store: Store, clock: Clock, settings: RetentionSettings): Keeper {
  async function prune(
    keptMs: number,
    signal: AbortSignal,
    removeBatch: (batch: Batch) => Promise<number>,
  ): Promise<number> {
    let removed = 0;
    for (let batch = 0; batch < batchesMax && !signal.aborted; batch++) {
      const count = await removeBatch({ beforeMs: clock.nowMs() - keptMs, limit: batchSize });
      removed += count;
      if (count < batchSize) break;
    }
    return removed;
  }
  return {
    name: 'retention',
    summary: 'Removes finished operations and events that are older than they have to be kept.',
    periodMs: 60 * 60_000,
    run: async (signal) => {
      const { operationsMs, eventsMs } = settings;
      const operations = await prune(operationsMs, signal, (batch) => store.write(pruneOperations, batch));
      const passedId = await settings.passedEventId();
      const events = await prune(eventsMs, signal, (batch) => store.write(pruneEvents, { ...batch, passedId }));
      return `${operations} operations and ${events} events removed`;
    },
    plan: () => plan(store, clock, settings),
  };
}

async function plan(
  store: Store,
  clock: Clock,
  { operationsMs, eventsMs, passedEventId }: RetentionSettings,
): Promise<KeeperPlan> {
  const passedId = await passedEventId();
  const nowMs = clock.nowMs();
  const limit = planStepsMax / 2 + 1;
  const { operations, events } = await store.read(async (reader) => ({
    operations: await reader.rows<{ id: string }>(oldOperations, [nowMs - operationsMs, limit]),
    events: await reader.rows<{ id: number }>(oldEvents, [nowMs - eventsMs, passedId, limit]),
  }));
  const subjects = [...operations.map(({ id }) => `operation ${id}`), ...events.map(({ id }) => `event ${id}`)];
  const steps = subjects.map((subject) => ({ action: 'remove', subject, sizeBytes: 0 })).slice(0, planStepsMax);
  const isExact = operations.length < limit && events.length < limit;
  const summary = `${isExact ? '' : 'At least '}${subjects.length} operations and events are older than they have to be kept.`;
  return { summary, steps, count: subjects.length, isExact, sizeBytes: 0, costs: [] };
}

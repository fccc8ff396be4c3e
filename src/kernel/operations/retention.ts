import type { Clock } from '../ids.ts';
import type { Keeper } from '../keepers/keeper.ts';
import type { Store } from '../store/store.ts';
import { transaction } from '../store/transaction.ts';

const batchSize = 500;
const batchesMax = 200;

interface Batch {
  readonly beforeMs: number;
  readonly limit: number;
}

/** Removes finished operations with their journals, oldest first. */
export const pruneOperations = transaction(import.meta.url, 'pruneOperations', (tx, { beforeMs, limit }: Batch) =>
  tx.run(
    `delete from operations where id in
       (select id from operations where finished_at is not null and finished_at < ? order by finished_at limit ?)`,
    [beforeMs, limit],
  ),
);

/**
 * Removes old events, but never a resource's newest one, since the next number follows from it, and none that somebody who
 * reads the outbox has not passed.
 */
export const pruneEvents = transaction(
  import.meta.url,
  'pruneEvents',
  (tx, { beforeMs, limit, passedId }: Batch & { readonly passedId: number }) =>
    tx.run(
      `delete from events where id in
         (select e.id from events e where e.created_at < ? and e.id <= ?
            and exists (select 1 from events later where later.resource = e.resource and later.seq > e.seq)
          order by e.created_at limit ?)`,
      [beforeMs, passedId, limit],
    ),
);

/** Keeps history bounded. */
export function retentionKeeper(
  store: Store,
  clock: Clock,
  settings: {
    readonly operationsMs: number;
    readonly eventsMs: number;
    /** The id of the last event that nobody who reads the outbox needs any more. */
    passedEventId(): Promise<number>;
  },
): Keeper {
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
  };
}

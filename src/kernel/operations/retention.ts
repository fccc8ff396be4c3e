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

/** Removes old events, but never a resource's newest one: the next number follows from it. */
export const pruneEvents = transaction(import.meta.url, 'pruneEvents', (tx, { beforeMs, limit }: Batch) =>
  tx.run(
    `delete from events where id in
       (select e.id from events e where e.created_at < ?
          and exists (select 1 from events later where later.resource = e.resource and later.seq > e.seq)
        order by e.created_at limit ?)`,
    [beforeMs, limit],
  ),
);

/** Keeps history bounded. */
export function retentionKeeper(
  store: Store,
  clock: Clock,
  settings: { readonly operationsMs: number; readonly eventsMs: number },
): Keeper {
  async function prune(target: typeof pruneOperations, keptMs: number, signal: AbortSignal): Promise<number> {
    let removed = 0;
    for (let batch = 0; batch < batchesMax && !signal.aborted; batch++) {
      const count = await store.write(target, { beforeMs: clock.nowMs() - keptMs, limit: batchSize });
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
      const operations = await prune(pruneOperations, settings.operationsMs, signal);
      const events = await prune(pruneEvents, settings.eventsMs, signal);
      return `${operations} operations and ${events} events removed`;
    },
  };
}

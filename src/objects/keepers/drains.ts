import type { Clock } from '../../kernel/ids.ts';
import type { Keeper } from '../../kernel/keepers/keeper.ts';
import type { Store } from '../../kernel/store/store.ts';
import { measureDrain } from '../backends/management/drain-progress.ts';
import { usesOf } from '../backends/management/queries.ts';
import { removeBackend } from '../backends/management/remove.ts';
import type { ObjectBackendRegistry } from '../backends/registry.ts';
import { backendsTopic } from '../backends/store-registry.ts';
import { forgetCopies, forgetDeletions } from '../ledger/forget-copies.ts';

const batchSize = 100;
/** In one run; the next one goes on. */
const batchesMax = 1_000;
const actor = 'gateway';
const leaving = `select name, state from object_backends where state in ('draining', 'purging') order by name`;

export interface DrainsOptions {
  readonly store: Store;
  readonly registry: Pick<ObjectBackendRegistry, 'refresh'>;
  readonly clock: Clock;
}

/** Measures drains and tells when one is complete; forgets what stood on backends that are lost for good. */
export function drainsKeeper(options: DrainsOptions, periodMs: number): Keeper {
  const { store, clock } = options;
  return {
    name: 'object-drains',
    summary: 'Tells how far drains are and when they are complete, and forgets what stood on purged backends.',
    periodMs,
    run: async (signal) => {
      const backends = await store.read((reader) => reader.rows<{ name: string; state: string }>(leaving, []));
      const told: string[] = [];
      for (const { name, state } of backends) {
        if (signal.aborted) break;
        if (state === 'purging') told.push(await purge(options, name, signal));
        else if (await store.write(measureDrain, { backend: name, nowMs: clock.nowMs() }))
          told.push(`${name} is empty`);
      }
      return `${backends.length} backends drain or are purged${told.map((one) => `; ${one}`).join('')}`;
    },
  };
}

/** Forgets copies and deletions of a backend in batches, and then the backend itself. */
async function purge({ store, registry, clock }: DrainsOptions, backend: string, signal: AbortSignal): Promise<string> {
  const sum = { copies: 0, lost: 0 };
  for (let batch = 0; batch < batchesMax && !signal.aborted; batch++) {
    const forgotten = await store.write(forgetCopies, { backend, limit: batchSize, actor, nowMs: clock.nowMs() });
    sum.copies += forgotten.copies;
    sum.lost += forgotten.lost;
    // A content that another write came to share just now is left for the next run.
    if (forgotten.copies === 0) break;
  }
  for (let batch = 0; batch < batchesMax && !signal.aborted; batch++) {
    if ((await store.write(forgetDeletions, { backend, limit: batchSize })) < batchSize) break;
  }
  const { copies, intents, cleanup } = await store.read((reader) => usesOf(reader, backend));
  const told = `${sum.copies} copies on ${backend} forgotten, ${sum.lost} objects lost`;
  // Writes under way end by themselves, or are given up with their gateway.
  if (copies.count + intents.count + cleanup.count > 0) return told;
  await store.write(removeBackend, { name: backend, doing: { actor, nowMs: clock.nowMs() } });
  store.publish(backendsTopic, backend);
  await registry.refresh();
  return `${told}, and it is removed`;
}

import type { Clock } from '../../kernel/ids.ts';
import { type Keeper, type KeeperPlan, planStepsMax } from '../../kernel/keepers/keeper.ts';
import type { Reader, Store } from '../../kernel/store/store.ts';
import { drainProgress, measureDrain } from '../backends/management/drain-progress.ts';
import { usesOf } from '../backends/management/queries.ts';
import { removeBackend } from '../backends/management/remove.ts';
import type { ObjectBackendRegistry } from '../backends/registry.ts';
import { backendsTopic } from '../backends/store-registry.ts';
import { forgetCopies, forgetDeletions, forgettableCopies } from '../ledger/forget-copies.ts';
import { CostSheet } from './cost-sheet.ts';

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
      const backends = await store.read(leavingBackends);
      const told: string[] = [];
      for (const { name, state } of backends) {
        if (signal.aborted) break;
        if (state === 'purging') told.push(await purge(options, name, signal));
        else if (await store.write(measureDrain, { backend: name, nowMs: clock.nowMs() }))
          told.push(`${name} is empty`);
      }
      return `${backends.length} backends drain or are purged${told.map((one) => `; ${one}`).join('')}`;
    },
    plan: (signal) => plan(options, signal),
  };
}

function leavingBackends(reader: Reader): Promise<{ readonly name: string; readonly state: string }[]> {
  return reader.rows(leaving, []);
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

/** What is forgotten on purged backends, and which drains are complete. No backend is called. */
async function plan({ store }: DrainsOptions, signal: AbortSignal): Promise<KeeperPlan> {
  const sheet = new CostSheet();
  const backends = await store.read(leavingBackends);
  let isExact = true;
  for (const { name, state } of backends) {
    signal.throwIfAborted();
    const { copies, intents, cleanup } = await store.read((reader) => usesOf(reader, name));
    if (state === 'purging') {
      const rows = await store.read((reader) => forgettableCopies(reader, name, planStepsMax + 1));
      isExact &&= rows.length <= planStepsMax;
      for (const { content_id: contentId, part, stored_bytes: storedBytes, isLast } of rows.slice(0, planStepsMax)) {
        const last = isLast ? ', of which there is no other copy' : '';
        sheet.step(isLast ? 'lose' : 'forget', `part ${part} of ${contentId} on ${name}${last}`, storedBytes);
      }
      if (cleanup.count > 0) sheet.step('forget', `${cleanup.count} deletions on ${name}`, 0);
      if (intents.count === 0) sheet.step('remove', `the backend ${name}`, 0);
      else sheet.warn(`${intents.count} writes to ${name} are under way, so that it is not removed yet.`);
    } else if (copies.count + intents.count + cleanup.count === 0) {
      const progress = await store.read((reader) => drainProgress(reader, name));
      if ((progress?.completedAtMs ?? null) === null) sheet.step('complete', `the drain of ${name}`, 0);
    }
  }
  return sheet.plan((count) => `${count} steps on ${backends.length} backends that drain or are purged.`, isExact);
}

import type { Clock } from '../../kernel/ids.ts';
import { type Keeper, type KeeperPlan, planStepsMax } from '../../kernel/keepers/keeper.ts';
import type { Store } from '../../kernel/store/store.ts';
import type { ObjectBackendRegistry } from '../backends/registry.ts';
import { claimCleanup, countLaterCleanup, dueCleanup, failCleanup, finishCleanup } from '../ledger/cleanup.ts';
import type { CleanupRow } from '../tables.ts';
import { backoffMs, inParallel } from './batches.ts';
import { CostSheet } from './cost-sheet.ts';

const batchSize = 200;
const batchesMax = 50;
const leaseMs = 120_000;
const callTimeoutMs = 30_000;
const lastWaitMs = 6 * 3_600_000;
/** What waits for later is counted for a plan no further than this. */
const countedMax = 10_000;

export interface CleanupOptions {
  readonly store: Store;
  readonly registry: ObjectBackendRegistry;
  readonly clock: Clock;
  owner(): string;
  readonly periodMs: number;
  /** After how long bytes of a write that nobody saw end are looked for once more. */
  readonly secondLookMs: number;
  /** Before a deletion that failed is tried again; it doubles each time. */
  readonly retryWaitMs: number;
}

/** Deletes bytes that nothing refers to any more. What is gone already is deleted. */
export function cleanupKeeper(options: CleanupOptions): Keeper {
  const { store, clock, owner, periodMs, secondLookMs } = options;
  return {
    name: 'object-cleanup',
    summary: 'Deletes bytes of objects that were overwritten, removed or never finished.',
    periodMs,
    run: async (signal) => {
      let deleted = 0;
      let failed = 0;
      for (let batch = 0; batch < batchesMax && !signal.aborted; batch++) {
        const claim = { owner: owner(), limit: batchSize, nowMs: clock.nowMs(), leaseMs };
        const rows = await store.write(claimCleanup, claim);
        const done: number[] = [];
        await inParallel(rows, signal, async (row) => {
          if (await deleteOne(options, claim.owner, row, signal)) done.push(row.id);
          else failed++;
        });
        const finish = { ids: done.sort((a, b) => a - b), owner: claim.owner, nowMs: clock.nowMs(), secondLookMs };
        if (done.length > 0) await store.write(finishCleanup, finish);
        deleted += done.length;
        if (rows.length < batchSize) break;
      }
      return `${deleted} deleted, ${failed} failed`;
    },
    plan: () => plan(options),
  };
}

/** The deletions whose turn it is; one that looks for late bytes once more comes again in another run. */
async function plan({ store, registry, clock }: CleanupOptions): Promise<KeeperPlan> {
  const nowMs = clock.nowMs();
  const { due, later } = await store.read(async (reader) => ({
    due: await dueCleanup(reader, { nowMs, limit: planStepsMax + 1 }),
    later: await countLaterCleanup(reader, { nowMs, limit: countedMax }),
  }));
  const sheet = new CostSheet();
  for (const { backend, storage_key: storageKey, stored_bytes: storedBytes } of due.slice(0, planStepsMax)) {
    const known = registry.get(backend);
    if (known?.isOpenFor('write') !== true) {
      sheet.warn(
        `The backend ${backend} ${known === null ? 'is not known here' : 'does not work'}: a deletion has to wait.`,
      );
      continue;
    }
    sheet.add(backend, { requests: 1 });
    sheet.step('delete', `${storageKey} on ${backend}`, storedBytes);
  }
  const waiting = later === 0 ? '' : ` ${later === countedMax ? 'At least ' : ''}${later} others wait for their turn.`;
  return sheet.plan((count) => `${count} deletions are due.${waiting}`, due.length <= planStepsMax);
}

async function deleteOne(
  { store, registry, clock, retryWaitMs }: CleanupOptions,
  owner: string,
  row: CleanupRow,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const known = registry.get(row.backend);
    if (known === null) throw new Error(`the backend ${row.backend} is not known`);
    await known.backend.delete(row.storage_key, AbortSignal.any([signal, AbortSignal.timeout(callTimeoutMs)]));
    return true;
  } catch (error) {
    const dueAtMs = clock.nowMs() + backoffMs(row.attempts, retryWaitMs, lastWaitMs);
    const message = error instanceof Error ? error.message : String(error);
    await store.write(failCleanup, { id: row.id, owner, error: message.slice(0, 500), dueAtMs });
    return false;
  }
}

import type { Clock } from '../../kernel/ids.ts';
import { type Keeper, type KeeperPlan, planStepsMax } from '../../kernel/keepers/keeper.ts';
import type { Store } from '../../kernel/store/store.ts';
import { abandonedIntents, countDeadClaims, freeClaims, reapIntents } from '../ledger/reap.ts';
import { CostSheet } from './cost-sheet.ts';

const batchSize = 500;
const batchesMax = 200;

/** Settles what gateways that died were writing, and gives others what they were working on. */
export function intentKeeper(store: Store, clock: Clock, periodMs: number): Keeper {
  return {
    name: 'object-intents',
    summary: 'Gives up writes whose gateway has died; their bytes are deleted.',
    periodMs,
    run: async (signal) => {
      let reaped = 0;
      for (let batch = 0; batch < batchesMax && !signal.aborted; batch++) {
        const count = await store.write(reapIntents, { limit: batchSize, nowMs: clock.nowMs() });
        reaped += count;
        if (count < batchSize) break;
      }
      await store.write(freeClaims, {});
      return `${reaped} writes given up`;
    },
    plan: () => plan(store),
  };
}

/** Writes that would be given up. That costs no call of a backend: what their bytes cost to delete is the cleanup's. */
async function plan(store: Store): Promise<KeeperPlan> {
  const { intents, claims } = await store.read(async (reader) => ({
    intents: await abandonedIntents(reader, planStepsMax + 1),
    claims: await countDeadClaims(reader, planStepsMax),
  }));
  const sheet = new CostSheet();
  for (const { backend, storage_key: storageKey, stored_bytes: storedBytes, owner } of intents.slice(0, planStepsMax)) {
    sheet.step('give up', `${storageKey} on ${backend}, which ${owner} wrote`, storedBytes);
  }
  const freed = `${claims.cleanup} deletions and ${claims.shortfalls} owed copies are taken from gateways that died.`;
  return sheet.plan(
    (count) => `${count} writes belong to gateways that died. ${freed}`,
    intents.length <= planStepsMax,
  );
}

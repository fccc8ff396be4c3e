import type { Clock } from '../../kernel/ids.ts';
import type { Keeper } from '../../kernel/keepers/keeper.ts';
import type { Store } from '../../kernel/store/store.ts';
import { freeClaims, reapIntents } from '../ledger/reap.ts';

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
  };
}

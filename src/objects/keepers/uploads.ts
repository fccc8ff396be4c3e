import type { Clock } from '../../kernel/ids.ts';
import type { Keeper } from '../../kernel/keepers/keeper.ts';
import type { Store } from '../../kernel/store/store.ts';
import { forgetUploads } from '../ledger/uploads.ts';

const batchSize = 500;
const batchesMax = 200;
/** How long the answer to a completion is kept: far beyond the last retry of any client. */
const rememberedMs = 7 * 86_400_000;

/** Forgets completed uploads. Their rows are only there so that completing once more gives the same answer. */
export function uploadKeeper(store: Store, clock: Clock, periodMs: number): Keeper {
  return {
    name: 'object-uploads',
    summary: 'Forgets uploads that were completed a week ago.',
    periodMs,
    run: async (signal) => {
      let forgotten = 0;
      for (let batch = 0; batch < batchesMax && !signal.aborted; batch++) {
        const finishedBeforeMs = clock.nowMs() - rememberedMs;
        const count = await store.write(forgetUploads, { finishedBeforeMs, limit: batchSize });
        forgotten += count;
        if (count < batchSize) break;
      }
      return `${forgotten} completed uploads forgotten`;
    },
  };
}
